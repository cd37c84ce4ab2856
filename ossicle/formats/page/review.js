// What deserves a second look: missing stretches, warnings, words that the model was unsure of.

const NUM_SHOWN = 300;                  // words in the list at once
const CONTEXT_WORDS = 3;                // on either side of a doubtful one
const LEAD_SECONDS = 1;                 // played before it

const review = { below: SURE[2], shown: NUM_SHOWN };

// Doubtful words in order; neighbours make one entry.
function doubtfulRuns() {
  const runs = [];
  state.words.forEach((word, i) => {
    const isDoubtful = word.confidence !== null && word.confidence < review.below && !state.checked.has(word.place);
    if (!isDoubtful) return;
    if (runs.length && runs.at(-1).last === i - 1) runs.at(-1).last = i;
    else runs.push({ first: i, last: i });
  });
  return runs;
}

function paintReview() {
  const runs = doubtfulRuns(), number = gaps.length + transcript.warnings.length + runs.length;
  byId("review-count").textContent = number || "";
  byId("review").setAttribute("aria-label", `Review, ${number} to look at`);
  if (byId("reviewed").hidden) return;
  const parts = [];
  if (gaps.length) parts.push(element("h2", {}, "Missing or cut short"), element("ul", {}, ...gaps.map(gapItem)));
  if (transcript.warnings.length) {
    parts.push(element("h2", {}, "Warnings"), ...transcript.warnings.map((warning) => element("p", {}, sentence(warning))));
  }
  if (hasConfidence) parts.push(...doubtParts(runs));
  if (!parts.length) parts.push(element("h2", {}, "Review"), element("p", { className: "soft" }, "There is nothing to look at again."));
  byId("reviewed").replaceChildren(...parts);
}

function doubtParts(runs) {
  const choice = element("select", { id: "below", ariaLabel: "How unsure" },
    ...SURE.map((bound) => element("option", { value: bound, selected: bound === review.below }, `below ${bound * 100} %`)));
  const more = runs.length > review.shown
    ? [element("button", { type: "button", id: "more" }, `Show ${Math.min(NUM_SHOWN, runs.length - review.shown)} more of ${runs.length}`)] : [];
  return [element("h2", {}, "Words less sure ", choice),
    runs.length ? element("ul", {}, ...runs.slice(0, review.shown).map(doubtItem)) : element("p", { className: "soft" }, "None."), ...more];
}

function gapItem(gap) {
  const jump = element("button", { type: "button", className: "jump" }, element("time", {}, clock(gap.start)), sentence(gap.reason));
  jumps.set(jump, () => {
    gapElements.get(gap).scrollIntoView({ block: "center" });
    seek(Math.max(0, gap.start - LEAD_SECONDS));
  });
  return element("li", {}, jump);
}

const jumps = new WeakMap();            // what a button of the list does

function doubtItem({ first, last }) {
  const words = state.words.slice(first, last + 1), around = (begin, end) => textOf(state.words.slice(Math.max(0, begin), end));
  const least = Math.min(...words.map((word) => word.confidence ?? 1));
  const jump = element("button", { type: "button", className: "jump" }, element("time", {}, clock(words[0].from)),
    element("bdi", {}, around(first - CONTEXT_WORDS, first), leadOf(words[0]), element("mark", {}, textOf(words).trim()),
      around(last + 1, last + 1 + CONTEXT_WORDS)), element("span", { className: "soft" }, `  ${Math.round(least * 100)} %`));
  const check = element("button", { type: "button", className: "icon check", title: "This is right", ariaLabel: `“${textOf(words).trim()}” is right` }, "✓");
  jumps.set(jump, () => {
    words[0].element?.scrollIntoView({ block: "center" });
    seek(Math.max(0, words[0].from - LEAD_SECONDS), true);
  });
  jumps.set(check, () => {
    if (!isSettled()) return;
    for (const word of words) {
      state.checked.add(word.place);
      if (word.element) word.element.className = classOf(word);
    }
    const place = [...byId("reviewed").querySelectorAll(".check")].indexOf(check);
    keep();
    paintReview();
    byId("reviewed").querySelectorAll(".check")[place]?.focus();
  });
  return element("li", {}, jump, check);
}

function setReviewing(isOn) {
  byId("reviewed").hidden = !isOn;
  app.classList.toggle("reviewing", isOn);
  byId("review").setAttribute("aria-expanded", isOn);
  paintReview();
}

function listenToReview() {
  byId("review").addEventListener("click", () => setReviewing(byId("reviewed").hidden));
  byId("reviewed").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button?.id === "more") {
      review.shown += NUM_SHOWN;
      paintReview();
    } else if (button) jumps.get(button)?.();
  });
  byId("reviewed").addEventListener("change", (event) => {
    review.below = Number(event.target.value);
    review.shown = NUM_SHOWN;
    paintReview();
    byId("below").focus();
  });
  paintReview();
}
