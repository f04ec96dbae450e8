"""Settings: the configuration, the sheets, splits, language-model and model files. No torch.

`load_project` reads and checks everything that a configuration names and reports all problems at once.
"""

from bindgram.settings.config import Config, load_config
from bindgram.settings.models import (
    AwdLstmSettings,
    ConvSettings,
    LanguageModelFile,
    ModelFile,
    load_language_model,
    load_model,
)
from bindgram.settings.project import Project, load_project
from bindgram.settings.sheets import Assembly, Experiment, read_assemblies, read_experiments
from bindgram.settings.splits import SplitFile, load_split

__all__ = [
    "Assembly",
    "AwdLstmSettings",
    "Config",
    "ConvSettings",
    "Experiment",
    "LanguageModelFile",
    "ModelFile",
    "Project",
    "SplitFile",
    "load_config",
    "load_language_model",
    "load_model",
    "load_project",
    "load_split",
    "read_assemblies",
    "read_experiments",
]
