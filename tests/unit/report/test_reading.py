from bindgram.evaluation.metrics import METRICS
from bindgram.report.html import escaped
from bindgram.report.lines import FLAG_MEANINGS
from bindgram.report.reading import definitions_section, reading_section


def test_every_metric_has_its_definition_unit_and_reference(visible):
    text = visible(definitions_section())
    for metric in METRICS.values():
        assert f"{escaped(metric.title)} {metric.unit}" in text
        assert escaped(metric.definition) in text
        assert escaped(metric.reference) in text


def test_reading_names_the_floor_the_headline_and_every_test_set_of_the_run(config, visible):
    text = visible(reading_section(config, likelihood=False))
    assert f"Look at {config.headline.test_set}" in text
    assert f"({config.floor})" in text
    for name in config.battery.test_sets:
        assert f"{name}. Positives: bound windows" in text
    assert "likelihood" not in text


def test_every_warning_is_explained(config, visible):
    text = visible(reading_section(config, likelihood=False))
    for meaning in FLAG_MEANINGS.values():
        assert meaning in text


def test_likelihood_of_a_language_model_is_explained_where_there_is_one(config, visible):
    assert "of the log-likelihoods per base" in visible(reading_section(config, likelihood=True))
