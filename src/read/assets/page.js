// What the page does better with a script. Without it everything works by links and forms.

const root = document.documentElement;
root.classList.add("js");

const wide = matchMedia("(min-width: 1120px)");
const list = () => document.getElementById("list");
const panel = () => document.getElementById("panel");
const rowOf = (id) => document.querySelector(`tr.ev[data-id="${CSS.escape(id)}"]`);

// The zone of this browser, where it is another than those offered.
const zone = document.querySelector("[data-browser-zone]");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && own) {
  const others = [...zone.parentElement.querySelectorAll("a:not([data-browser-zone])")];
  if (!others.some((other) => other.firstChild.textContent.trim() === own)) {
    const url = new URL(zone.href);
    url.searchParams.set("tz", own);
    zone.href = url.pathname + url.search;
    zone.textContent = own;
    const note = document.createElement("span");
    note.className = "n";
    note.textContent = "this browser";
    zone.append(note);
    zone.hidden = false;
  }
}

// Menus: one click elsewhere or Escape closes them, and the focus goes back to the button.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// The panel.
let asked = 0;
async function open(id, { push = true } = {}) {
  const link = rowOf(id)?.querySelector("a.go");
  if (!link) return;
  const turn = ++asked;
  const answer = await fetch(link.href, { headers: { "x-sidetrail-panel": "1" } }).catch(() => null);
  if (turn !== asked) return;
  if (!answer?.ok || answer.redirected) return location.assign(link.href);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("#panel");
  const frame = document.querySelector(".frame");
  if (!fresh || !frame) return location.assign(link.href);
  panel()?.remove();
  frame.append(fresh);
  frame.classList.add("split");
  mark(id);
  steps();
  if (push) {
    const url = new URL(location.href);
    url.searchParams.set("event", id);
    history.pushState(null, "", url);
  }
  document.getElementById("panel-h").focus();
}

function close({ push = true } = {}) {
  const id = panel()?.dataset.id;
  asked++;
  panel()?.remove();
  document.querySelector(".frame")?.classList.remove("split");
  mark(null);
  if (push) {
    const url = new URL(location.href);
    url.searchParams.delete("event");
    history.pushState(null, "", url);
  }
  ((id && rowOf(id)?.querySelector("a.go")) || list())?.focus();
}

function mark(id) {
  for (const row of document.querySelectorAll("tr.ev.open")) row.classList.remove("open");
  if (id) rowOf(id)?.classList.add("open");
}

const neighbour = (step) => {
  const rows = [...document.querySelectorAll("tr.ev")];
  const at = rows.findIndex((row) => row.dataset.id === panel()?.dataset.id);
  return at < 0 ? undefined : rows[at + step];
};

function steps() {
  for (const button of panel()?.querySelectorAll("[data-step]") ?? []) {
    button.hidden = !neighbour(Number(button.dataset.step));
  }
}
steps();

document.addEventListener("click", (event) => {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const { target } = event;
  if (target.closest("[data-close]")) {
    event.preventDefault();
    return close();
  }
  const step = target.closest("[data-step]");
  if (step) {
    const next = neighbour(Number(step.dataset.step));
    if (next) open(next.dataset.id);
    return;
  }
  const row = target.closest("tr.ev");
  if (!row || !wide.matches) return;
  const link = target.closest("a");
  // People copy text out of logs: a click that ends a selection opens nothing.
  if (link ? !link.matches("a.go") : !getSelection().isCollapsed) return;
  event.preventDefault();
  open(row.dataset.id);
});

addEventListener("popstate", () => {
  const here = new URL(location.href);
  const id = here.searchParams.get("event");
  here.searchParams.delete("event");
  if (here.pathname !== "/" || here.search !== shown) return location.reload();
  if (id && rowOf(id) && wide.matches) open(id, { push: false });
  else if (panel()) close({ push: false });
});
const shown = (() => {
  const url = new URL(location.href);
  url.searchParams.delete("event");
  return url.search;
})();

// Keys: "/" searches, Escape closes.
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "Escape") {
    const menu = document.querySelector("details.menu[open]");
    if (menu) {
      menu.open = false;
      menu.querySelector("summary").focus();
    } else if (panel() && !typing && document.querySelector(".frame.split")) {
      close();
    }
  } else if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const box = document.getElementById("q");
    if (box) {
      event.preventDefault();
      box.focus();
      box.select();
    }
  }
});
