// Putting a part that was fetched into the page: what is the same stays as it is, with its focus and its place.
const TRIM_AT = 400;
const KEPT = 300;
const MOST = 2000;
const sources = new WeakMap();
const shown = new WeakMap();

// The page's own children are known by the text they came as, so that what has not changed is not touched.
export function remember(root) {
  for (const child of root.querySelectorAll("[data-list] > [id]")) sources.set(child, child.outerHTML);
}

export function parse(html) {
  const holder = document.createElement("template");
  holder.innerHTML = html;
  return holder.content;
}

function focusKey(element) {
  const active = document.activeElement;
  if (!active || !element.contains(active)) return null;
  return active.dataset.key ? `[data-key="${CSS.escape(active.dataset.key)}"]`
    : active.getAttribute("href") ? `[href="${CSS.escape(active.getAttribute("href"))}"]`
    : active.matches("summary") ? "summary" : null;
}

function replaceChild(old, fresh) {
  const source = fresh.outerHTML;
  if (sources.get(old) === source) return old;
  const focus = focusKey(old);
  const isOpen = old.querySelector(":scope > details")?.open;
  sources.set(fresh, source);
  old.replaceWith(fresh);
  if (isOpen) fresh.querySelector(":scope > details").open = true;
  if (focus) fresh.querySelector(focus)?.focus();
  return fresh;
}

// Lists grow at one end ("down": a thread, "up": newest first) or are shown whole (no `grow`). `isAnother`: where more came
// than a page holds, what is between is not here, and the way to it is that of the new page. `hasMore`: of a list that is
// longer than what is asked for at once, what lies beyond stays as it is.
function mergeList(list, incoming, grow, isWhole) {
  const known = new Map([...list.children].filter((child) => child.id).map((child) => [child.id, child]));
  const arrivals = [...incoming.children];
  const overlaps = arrivals.some((child) => known.has(child.id));
  if (!overlaps) {
    for (const child of arrivals) sources.set(child, child.outerHTML);
    list.replaceChildren(...arrivals);
    return { isAnother: true, hasMore: false };
  }
  let previous = null;
  const wanted = new Set(arrivals.map((child) => child.id));
  const places = [...known.keys()];
  // Behind the last arrival as it stood here before, and nothing where that is new: what is missing before it has gone.
  const end = places.indexOf(arrivals.at(-1).id);
  const beyond = new Set(isWhole || end < 0 ? [] : places.slice(end + 1).filter((id) => !wanted.has(id)));
  for (const child of arrivals) {
    const old = known.get(child.id);
    if (old) {
      const kept = replaceChild(old, child);
      if (!grow && previous ? previous.nextElementSibling !== kept : !grow && list.firstElementChild !== kept) {
        if (previous) previous.after(kept); else list.prepend(kept);
      }
      previous = kept;
    } else {
      sources.set(child, child.outerHTML);
      if (previous) previous.after(child);
      else if (grow === "down") known.get(arrivals.find((each) => known.has(each.id)).id).before(child);
      else list.prepend(child);
      previous = child;
    }
  }
  if (!grow) for (const [id, child] of known) if (!wanted.has(id) && !beyond.has(id)) child.remove();
  return { isAnother: false, hasMore: beyond.size > 0 };
}

// Whether somebody reads what would be taken away: they have gone back to it, and it stays under their eyes.
function isRead(list, grow, part) {
  if (grow === "down") {
    return list.children[list.children.length - KEPT - 1].getBoundingClientRect().bottom > part.getBoundingClientRect().top;
  }
  return list.children[KEPT].getBoundingClientRect().top < innerHeight;
}

// What is taken away at the far end is loaded again from where the list now ends; fresh: the link that came with the part.
function trim(list, grow, part, fresh) {
  if (!grow || list.children.length <= TRIM_AT) return;
  if (list.children.length <= MOST && isRead(list, grow, part)) return;
  while (list.children.length > KEPT) (grow === "down" ? list.firstElementChild : list.lastElementChild).remove();
  const known = [...list.querySelectorAll(":scope > [data-cursor]")];
  const edge = grow === "down" ? known[0] : known.at(-1);
  let more = part.querySelector("[data-more]");
  if (!more && fresh) {
    if (grow === "down") part.prepend(fresh); else part.append(fresh);
    more = fresh.querySelector("[data-more]");
  }
  if (!more || !edge) return;
  const address = new URL(more.href);
  address.searchParams.set(grow === "down" ? "before" : "cursor", edge.dataset.cursor);
  more.href = address;
}

export function mergePart(part, html) {
  const content = parse(html);
  const grow = part.dataset.grow;
  const also = content.querySelector("[data-also]");
  also?.remove();
  const list = part.querySelector("[data-list]");
  const incoming = content.querySelector("[data-list]");
  if (!list || !incoming) {
    if (shown.get(part) === html) return;
    shown.set(part, html);
    const focus = focusKey(part);
    const open = [...part.querySelectorAll("details[id][open]")].map((details) => details.id);
    part.replaceChildren(content);
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    remember(part);
    if (focus) part.querySelector(focus)?.focus();
    return;
  }
  const isWhole = !content.querySelector("[data-more]");
  const { isAnother, hasMore } = mergeList(list, incoming, grow, isWhole);
  for (const child of also ? [...also.children] : []) {
    const old = document.getElementById(child.id);
    if (old) replaceChild(old, child);
  }
  const more = part.querySelector("[data-more]")?.closest(".more");
  const fresh = content.querySelector("[data-more]")?.closest(".more");
  if (isAnother || (!grow && !hasMore)) {
    more?.remove();
    if (fresh && grow === "down") part.prepend(fresh); else if (fresh) part.append(fresh);
  }
  trim(list, grow, part, fresh);
}
