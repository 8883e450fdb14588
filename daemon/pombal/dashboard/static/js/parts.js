// The live parts of the page: each is fetched anew from where the page came from, as soon as something that it shows
// has changed, and not more often than it can be read.
import { toTheDoor } from "./door.js";
import { mergePart, parse, remember } from "./merge.js";

export const PAGE = { Accept: "text/html" };  // what is refused is told as a page too, in words
const DEFAULT_PAUSE_MS = 500;
const RETRY_MS = 2000;
const ALSO_MAX = 50;

export class Part {
  constructor(element) {
    this.element = element;
    this.name = element.dataset.part;
    this.topics = (element.dataset.on ?? "").split(" ").filter(Boolean);
    this.pauseMs = Number(element.dataset.pause ?? DEFAULT_PAUSE_MS);
    this.also = new Set();
    this.timer = null;
    this.lastMs = -Infinity;
    this.request = null;
    this.isWanted = false;
    remember(element);
    this.isTimed = Boolean(element.dataset.every);
    if (this.isTimed) {
      setInterval(() => document.hidden || this.refresh(), Number(element.dataset.every) * 1000);
    }
  }

  concerns(event) {
    if (!this.topics.some((topic) => event.type.startsWith(`${topic}.`))) return false;
    const chat = this.element.dataset.chat;
    return !chat || event.data?.chat_id === chat;
  }

  hear(event) {
    // Of a list that grows, the newest are fetched; an older one that has changed is asked for by name.
    if (this.element.dataset.grow && event.data?.id && document.getElementById(`m-${event.data.id}`)) {
      if (this.also.size < ALSO_MAX) this.also.add(event.data.id);
    }
    this.refresh();
  }

  refresh() {
    if (this.timer !== null) return;
    const waitMs = Math.max(0, this.lastMs + this.pauseMs - performance.now());
    this.timer = setTimeout(() => { this.timer = null; this.fetchNow(); }, waitMs);
  }

  async fetchNow() {
    if (this.request) { this.isWanted = true; return; }
    this.lastMs = performance.now();
    const also = [...this.also];
    this.also.clear();
    await this.load(this.address(also));
    if (this.isWanted) { this.isWanted = false; this.refresh(); }
  }

  later() {
    setTimeout(() => this.refresh(), RETRY_MS);
  }

  address(also) {
    const address = new URL(location.href);
    address.searchParams.delete("cursor");
    address.searchParams.delete("before");
    address.searchParams.set("_part", this.name);
    if (also.length) address.searchParams.set("also", also.join(","));
    const counted = this.element.dataset.counts;
    const count = counted ? this.element.querySelectorAll(counted).length : 0;
    if (count > 40) address.searchParams.set("limit", Math.min(count, 500));
    return address;
  }

  async load(address) {
    this.request = new AbortController();
    try {
      const response = await fetch(address, { signal: this.request.signal, cache: "no-store", headers: PAGE });
      if (response.status === 401) { toTheDoor(); return; }
      const html = await response.text();
      if (response.ok) this.put(html);
      else if (response.status < 500) this.fail(html);
      else this.later();  // what the daemon cannot do just now it can do then: the page stays as it is
    } catch (error) {
      if (error.name !== "AbortError" && !(error instanceof TypeError)) throw error;
      // no connection: the socket says so, and everything is fetched once it is back; unless it never noticed
      if (error instanceof TypeError && document.documentElement.dataset.live === "on") this.later();
    } finally {
      this.request = null;
    }
  }

  // Another filter: the whole list is another one.
  async replaceWith(address) {
    clearTimeout(this.timer);
    this.timer = null;
    const list = this.element.querySelector("[data-list]");
    list?.removeAttribute("data-list");
    await this.load(address);
    list?.setAttribute("data-list", "");
  }

  // There is nothing to show any longer, or a filter asks for what is not there: the page says so in its place.
  fail(html) {
    const problem = parse(html).querySelector(".problem-page");
    if (problem) this.element.replaceChildren(problem);
  }

  put(html) {
    const before = this.element.scrollHeight - this.element.scrollTop - this.element.clientHeight;
    const isAtEnd = this.element.dataset.grow === "down" && before < 80;
    mergePart(this.element, html);
    if (isAtEnd) this.element.scrollTop = this.element.scrollHeight;
    this.element.dispatchEvent(new CustomEvent("part", { bubbles: true }));
  }

  abort() {
    this.request?.abort();
  }
}

export const parts = [...document.querySelectorAll("[data-part]")].map((element) => new Part(element));

export function partNamed(name) {
  return parts.find((part) => part.name === name);
}

for (const part of parts) {
  if (part.element.dataset.grow === "down") part.element.scrollTop = part.element.scrollHeight;
}
