// Puts the page together: what is pressed and clicked, and the order in which things begin.

const KEYS = [
  [["Space", "K"], "play, pause"], [["J", "L"], `${FAR_STEP_SECONDS} seconds back, forward`], [["←", "→"], `${STEP_SECONDS} seconds back, forward`],
  [["+", "−"], "faster, slower"], [["/"], "search"], [["N", "P"], "next, previous hit"], [["F"], "follow the spoken word"],
  [["C"], "tint by confidence"], [["R"], "review list"], [["E"], "edit"], [["X"], "export"], [["?"], "this help"],
  [["Ctrl Enter"], "play, pause while editing"],
];

const actions = {
  " ": toggle, k: toggle, j: () => seek(player.at - FAR_STEP_SECONDS), l: () => seek(player.at + FAR_STEP_SECONDS),
  ArrowLeft: () => seek(player.at - STEP_SECONDS), ArrowRight: () => seek(player.at + STEP_SECONDS),
  "+": () => changeSpeed(1), "=": () => changeSpeed(1), "-": () => changeSpeed(-1),
  "/": () => { byId("query").focus(); byId("query").select(); }, n: () => goToHit(1), p: () => goToHit(-1),
  f: () => follow(!player.isFollowing), c: () => setTint(!app.classList.contains("tinted")), r: () => byId("review").click(),
  e: () => byId("edit").click(), x: () => byId("export").click(), "?": () => byId("help").click(),
};

function onKey(event) {
  const { target, key } = event;
  if (event.defaultPrevented || document.querySelector("dialog[open]")) return;
  if (key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    toggle();
    return;
  }
  if (key === "Escape" && state.isEditing && target.isContentEditable) {
    target.blur();
    setEditing(false);
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || target.isContentEditable) return;
  if (target.matches("input:not([type=range]), textarea, select") || (key === " " && target.matches("button, summary"))) return;
  const action = actions[key.length === 1 ? key.toLowerCase() : key];
  if (!action || (key.length === 1 && key !== " " && !byId("single-keys").checked)) return;
  event.preventDefault();
  action();
}

function onClickText(event) {
  const { target } = event, box = target.closest(".p"), paragraph = paragraphOf.get(box);
  if (target.matches(".listen")) seek(Number(target.dataset.at), true);
  else if (target.matches(".time")) seek(paragraph.words[0]?.from ?? paragraph.original[0].from, true);
  else if (target.matches(".who")) askName(paragraph);
  else if (target.matches(".undo")) undoParagraph(paragraph);
  else if (target.matches(".w") && getSelection().isCollapsed) clickWord(wordOf.get(target));
}

function clickWord(word) {
  if (!state.isEditing) seek(word.from, true);
  else if (sound.paused) seek(word.from);                // the caret's place, ready to be played from
}

function paragraphAt(node) {
  const box = (node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement)?.closest(".p");
  return box && paragraphOf.get(box);
}

// What is known of a word, as it is pointed at; a title on each of thirty thousand would cost more than it gives.
function onPoint(event) {
  const word = wordOf.get(event.target);
  if (!word || event.target.title) return;
  const sure = word.confidence === null ? "" : `, ${Math.round(word.confidence * 100)} % sure`;
  event.target.title = `${clock(word.from)}${sure}${isGuessed(word) ? ", time estimated" : ""}${word.isNew ? ", written by hand" : ""}`;
}

function setTint(isOn) {
  app.classList.toggle("tinted", isOn);
  byId("legend").hidden = !isOn;
  byId("tint").setAttribute("aria-pressed", isOn);
}

function paintHelp() {
  const keys = KEYS.flatMap(([names, what]) => [
    element("dt", {}, ...names.flatMap((name, i) => [i ? " " : "", ...name.split(" ").flatMap((part) => [element("kbd", {}, part), " "])])),
    element("dd", {}, what)]);
  byId("helping").replaceChildren(
    element("h2", { id: "helping-title" }, "How to use this page"),
    element("p", {}, "Click a word, or the time beside a paragraph, to play from there. Click a speaker to give them a name. "
      + "Corrections stay in this browser until you export them; the file itself does not change."),
    element("h3", {}, "Keys"), element("dl", { className: "keys" }, ...keys),
    element("p", { className: "choices" }, element("label", {},
      element("input", { type: "checkbox", id: "single-keys", checked: true }), element("span", {}, "Single keys act as shortcuts"))),
    element("form", { method: "dialog", className: "row" }, element("button", { className: "main", autofocus: true }, "Close")));
}

function start() {
  paintTranscript();
  paintHead();
  paintLegend();
  paintMade();
  paintHelp();
  setTint(hasConfidence || hasMeasuredTimes);
  listenToMedia();
  listenToSearch();
  listenToEdits();
  listenToReview();
  listenToExport();
  byId("text").addEventListener("click", onClickText);
  byId("text").addEventListener("mouseover", onPoint);
  byId("tint").addEventListener("click", () => setTint(!app.classList.contains("tinted")));
  byId("help").addEventListener("click", () => byId("helping").showModal());
  document.addEventListener("keydown", onKey);
  const resize = new ResizeObserver(() => document.documentElement.style.setProperty("--tools-height", `${document.querySelector(".tools").offsetHeight}px`));
  resize.observe(document.querySelector(".tools"));
  drawBand();
}

start();
