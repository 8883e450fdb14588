// Filters: what is typed is looked for as it is typed, and stands in the address, so that it can be kept and shared.
import { partNamed } from "./parts.js";

const PAUSE_MS = 180;

for (const form of document.querySelectorAll("form[data-filter]")) {
  const part = partNamed(form.dataset.filter);
  let timer = null;

  function look() {
    const address = new URL(location.href);
    for (const [name, value] of new FormData(form)) {
      if (value) address.searchParams.set(name, value); else address.searchParams.delete(name);
    }
    for (const box of form.querySelectorAll("input[type=checkbox]:not(:checked)")) address.searchParams.delete(box.name);
    for (const name of ["cursor", "chat_cursor", "before"]) address.searchParams.delete(name);
    history.replaceState(null, "", address);
    part.abort();
    part.element.classList.add("is-loading");
    const request = part.address([]);
    request.searchParams.delete("limit");
    part.replaceWith(request).finally(() => part.element.classList.remove("is-loading"));
  }

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(look, PAUSE_MS);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    look();
  });
}
