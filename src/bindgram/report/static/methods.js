// The button that copies the methods. navigator.clipboard may be missing (old browsers, or a page opened as a file).
document.querySelectorAll("button[data-copies]").forEach(button => button.addEventListener("click", async () => {
  const source = document.getElementById(button.dataset.copies);
  const before = button.textContent;
  let copied = false;
  try {
    await navigator.clipboard.writeText(source.innerText);
    copied = true;
  } catch {
    getSelection().selectAllChildren(source);
    copied = document.execCommand("copy");
  }
  button.textContent = copied ? "Copied" : "Press Ctrl+C";
  setTimeout(() => { button.textContent = before; }, 2000);
}));
