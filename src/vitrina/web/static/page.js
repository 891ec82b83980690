// What every page gains from a script: chart tips, menus that close, the arrow keys between days, live tiles.
// Without it every page still works.

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("role", "status");
document.body.append(tip);

function showTip(target, x, y) {
  tip.textContent = target.dataset.tip;
  tip.hidden = false;
  const left = Math.min(x + 14, window.innerWidth - tip.offsetWidth - 8);
  const top = y + 18 + tip.offsetHeight > window.innerHeight ? y - tip.offsetHeight - 12 : y + 18;
  tip.style.transform = `translate(${Math.max(8, left)}px, ${Math.max(8, top)}px)`;
}

document.addEventListener("pointermove", (event) => {
  const target = event.target instanceof Element && event.target.closest("[data-tip]");
  if (target) showTip(target, event.clientX, event.clientY);
  else tip.hidden = true;
});
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });

document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

// On a phone the menu is wider than the window: where one is stands in sight.
const menu = document.querySelector(".nav");
const here = menu?.querySelector("[aria-current]");
if (here) menu.scrollLeft = here.offsetLeft - menu.offsetLeft - (menu.clientWidth - here.offsetWidth) / 2;

const typing = "input, select, textarea, [contenteditable]";

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    tip.hidden = true;
    for (const menu of document.querySelectorAll("details.menu[open]")) {
      menu.open = false;
      menu.querySelector("summary").focus();
    }
    return;
  }
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey || event.target.closest(typing)) return;
  const step = { ArrowLeft: "prev", ArrowRight: "next" }[event.key];
  const link = step && document.querySelector(`a[rel="${step}"]`);
  if (link) {
    event.preventDefault();
    link.click();
  }
});

for (const field of document.querySelectorAll("[data-submits]")) {
  field.addEventListener("change", () => { if (field.value) field.form.requestSubmit(); });
}

for (const field of document.querySelectorAll("[data-asks]")) {
  field.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    field.form.requestSubmit();
  });
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copies).textContent.trim());
    button.textContent = button.dataset.done;
  });
}

// Live figures: the page's own fragment is asked for again, and only what changed is put in its place.

const live = document.querySelector("[data-live]");

async function refresh() {
  if (document.hidden) return;
  try {
    const answer = await fetch(live.dataset.live, { headers: { Accept: "application/json" } });
    if (!answer.ok) return;
    for (const [name, text] of Object.entries((await answer.json()).texts)) {
      const place = live.querySelector(`[data-text="${name}"]`);
      if (place && place.textContent !== text) place.textContent = text;
    }
  } catch {
    // The next round tries again; the badge says how old the figures are.
  }
}

if (live) setInterval(refresh, 10_000);
