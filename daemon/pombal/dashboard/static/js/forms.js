// Forms that stay: sent without leaving the page, which then takes over what the answer shows.
import { toTheDoor } from "./door.js";
import { parse } from "./merge.js";
import { PAGE, partNamed, parts } from "./parts.js";
import { clearToasts, toast } from "./toast.js";

async function submit(form, submitter) {
  const data = new FormData(form, submitter);
  const hasFile = [...data.values()].some((value) => value instanceof File && value.size);
  const body = hasFile || form.enctype === "multipart/form-data" ? data : new URLSearchParams(data);
  let response;
  try {
    response = await fetch(form.action, { method: "POST", body, headers: PAGE });
  } catch {
    toast(document.body.dataset.wordsUnreachable);
    return false;
  }
  clearToasts();
  if (response.status === 401) { toTheDoor(); return false; }
  const answer = parse(await response.text());
  const trouble = answer.querySelector("[role=alert]");
  const said = answer.querySelector("[data-toasts] .toast");
  // in its place, where the page has one for it
  if (trouble) trouble.closest("[data-part]") || toast(trouble.textContent.replace(/\s+/g, " ").trim());
  else if (!response.ok) toast(document.body.dataset.wordsFailed);
  else if (said) toast(said.textContent);
  takeOver(form, answer, response.ok && !trouble);
  return response.ok && !trouble;
}

function takeOver(form, answer, isDone) {
  // The pairing code stands in the answer alone; everything else is fetched anew.
  const pair = answer.querySelector('[data-part="pair"]');
  const here = document.querySelector('[data-part="pair"]');
  if (pair && here) here.replaceChildren(...pair.childNodes);
  const next = answer.querySelector("[data-composer] [name=message_id]");
  const own = form.querySelector("[name=message_id]");
  if (isDone && next && own) own.value = next.value;
  if (isDone) for (const part of parts) if (part.name !== "pair") part.refresh();
  partNamed("thread")?.element.scrollTo({ top: partNamed("thread").element.scrollHeight });
}

// A server that has to turn a body away closes its connection, and the browser then says no more than that.
function isTooLarge(form) {
  const files = [...form.querySelectorAll("input[type=file]")].flatMap((input) => [...input.files]);
  return files.some((file) => file.size > Number(form.dataset.fileMax ?? Infinity));
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (isTooLarge(form)) {
    event.preventDefault();
    toast(form.dataset.wordsTooLarge);
    return;
  }
  if (!form.matches("form[data-stay]")) return;
  event.preventDefault();
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  form.setAttribute("aria-busy", "true");
  try {
    const isDone = await submit(form, event.submitter);
    if (isDone && form.matches("[data-composer]")) form.dispatchEvent(new CustomEvent("sent"));
  } finally {
    delete form.dataset.busy;
    form.removeAttribute("aria-busy");
  }
});
