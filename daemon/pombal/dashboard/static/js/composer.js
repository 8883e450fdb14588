// Writing: Enter sends, Shift and Enter makes a new line; a file that was chosen shows its name.
const composer = document.querySelector("[data-composer]");

if (composer) {
  const text = composer.querySelector("textarea");
  const file = composer.querySelector("[data-file]");
  const fileName = composer.querySelector("[data-file-name]");

  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      composer.requestSubmit();
    }
  });
  file.addEventListener("change", () => { fileName.textContent = file.files[0]?.name ?? ""; });
  composer.addEventListener("sent", () => {
    text.value = "";
    file.value = "";
    fileName.textContent = "";
    composer.querySelector(".problem")?.remove();
    text.focus();
  });
}
