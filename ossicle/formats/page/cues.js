// Subtitles of the page. Where the text is as it was, its cues are those that Python cut; around corrections they are set anew.

const SPACES = /[\t-\r\x1c-\x20\x85\u1680\u2000-\u2006\u2008-\u200b\u2028\u2029\u205f\u3000]/u;    // as in ossicle/formats/pieces.py
const KEPT_SPACES = /^[\u3000\u200b]$/u;
const CLOSING = /^\s*[\p{Pe}\p{Pf}\p{Po}\p{M}ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ]/u;                // no line begins with one of these
const cuts = JSON.parse(document.getElementById("cuts-data").textContent);
const letterEnds = new Float64Array(originalWords.length + 1);         // letters before each word, and in all
originalWords.forEach((word, i) => { letterEnds[i + 1] = letterEnds[i] + lettersIn(word.text); });

function lettersIn(text) {
  let number = 0;
  for (const char of text) if (!SPACES.test(char)) number += 1;
  return number;
}

function writeSrt() {
  return cuesNow(cuts.srt).map(({ start, end, lines }, i) => `${i + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${lines.join("\n")}\n\n`).join("");
}

function writeVtt() {
  const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const notes = gaps.map(({ start, end, reason }) => `NOTE text may be missing from ${stamp(start * 1000)} to ${stamp(end * 1000)}: ${
    reason.split(/\s+/u).filter(Boolean).join(" ")}`.replaceAll("-->", "->"));
  const blocks = cuesNow(cuts.vtt ?? cuts.srt).map(({ start, end, lines, speaker }) => {
    const voice = speaker !== null && cuts.labels ? `<v ${escaped(plainSpaces(nameOf(speaker)))}>` : "";
    return `${stamp(start)} --> ${stamp(end)}\n${voice}${escaped(lines.join("\n"))}`;
  });
  return `${["WEBVTT", ...notes, ...blocks].join("\n\n")}\n`;
}

function stamp(milliseconds, mark = ".") {
  const whole = Math.round(milliseconds), digits = (number, count) => String(Math.floor(number)).padStart(count, "0");
  return `${digits(whole / 3600000, 2)}:${digits((whole / 60000) % 60, 2)}:${digits((whole / 1000) % 60, 2)}${mark}${digits(whole % 1000, 3)}`;
}

// Cues as {start, end, lines, speaker}. Each cut is [milliseconds of start and end, whether it names the speaker, letters of each line].
function cuesNow(all) {
  const cues = [];
  let first = 0, letters = 0;
  for (const [start, end, isLabelled, ...counts] of all) {
    const after = letters + counts.reduce((sum, count) => sum + count, 0), begin = first;
    while (first < originalWords.length && letterEnds[first] < after) first += 1;
    cues.push({ start, end, isLabelled, counts, letters, begin, after: first, words: [] });
    letters = after;
  }
  assignWords(cues);
  let last = null, isWhole = true;
  return cues.flatMap((cue) => {
    const goesOn = cue.begin === cue.after && !cue.words.length;        // inside a long word, which began in a cue before
    if (!goesOn) isWhole = isUntouched(cue);
    const owner = goesOn && isWhole ? originalWords[cue.begin - 1] : cue.words[0];
    if (!owner) return [];
    const speaker = speakerOf(owner), name = speaker === null ? null : nameOf(speaker);
    const label = cue.isLabelled && name !== last && speakerNames().length > 1 ? labelOf(name) : "";
    last = name;
    return setCue(cue, label, isWhole).map((set) => ({ ...set, speaker }));
  });
}

function isUntouched({ words, begin, after }) {
  return words.length === after - begin && words.every((word, i) => word.place === begin + i);
}

// Every word to its cue: those that stayed by their place, those written by hand by their time between neighbours that stayed.
function assignWords(cues) {
  const cueOf = new Int32Array(originalWords.length);
  cues.forEach((cue, k) => cueOf.fill(k, cue.begin, cue.after));
  const { words } = state;
  let current = 0;
  words.forEach((word, i) => {
    if (!word.isNew) current = Math.max(current, cueOf[word.place]);
    else {
      const later = words.slice(i + 1, i + 200).find((other) => !other.isNew), limit = later ? cueOf[later.place] : cues.length - 1;
      const isHere = (cue) => speakerOf(originalWords[cue.begin]) === speakerOf(word);
      while (current < limit && isHere(cues[current + 1]) && cues[current + 1].start <= word.from * 1000) current += 1;
      while (current < limit && !isHere(cues[current])) current += 1;
    }
    cues[current]?.words.push(word);
  });
}

function setCue(cue, label, isWhole) {
  const { start, end, words } = cue;
  if (isWhole) {
    const lines = originalLines(cue);
    lines[0] = [label, lines[0]].filter(Boolean).join(" ");
    if (lines.every((line) => columnsOf(line) <= cuts.width) || !label || !speakerIsRenamed(words[0])) return [{ start, end, lines }];
  }
  const pieces = piecesOf(words, label), lines = linesOf(pieces);
  const groups = [];
  for (let i = 0; i < lines.length; i += cuts.lines) groups.push(lines.slice(i, i + cuts.lines));
  const starts = groups.map((group, k) => (k ? Math.max(start + k, Math.min(end - groups.length + k, Math.round(group[0][0].from * 1000))) : start));
  return groups.map((group, k) => ({
    start: starts[k], end: starts[k + 1] ?? end, lines: group.map((line) => plainSpaces(line.map((piece) => piece.text).join(""))),
  }));
}

const speakerIsRenamed = (word) => nameOf(speakerOf(word)) !== speakerOf(word);

// The lines of a cue whose words are all as they were: by the number of letters that each has.
function originalLines({ counts, letters, begin, after }) {
  const lines = counts.map(() => "");
  let at = begin ? letterEnds[begin] : 0, line = 0, left = counts[0];
  // A long word without spaces may begin in the cue before; its letters there are passed over.
  let first = begin;
  while (first > 0 && letterEnds[first] > letters) at = letterEnds[--first];
  for (const char of textOf(originalWords.slice(first, Math.max(after, first + 1)))) {
    if (SPACES.test(char)) {
      if (at >= letters && line < lines.length) lines[line] += char;
      continue;
    }
    if (at++ < letters) continue;
    while (line < lines.length && left === 0) left = counts[++line];
    if (line === lines.length) break;
    lines[line] += char;
    left -= 1;
  }
  return lines.map(plainSpaces);
}

function plainSpaces(text) {
  return text.replace(new RegExp(`${SPACES.source}+`, "gu"), (run) => (KEPT_SPACES.test(run) ? run : " ")).replace(/^[ \u3000\u200b]+|[ \u3000\u200b]+$/gu, "");
}

// What a line may break between: words, each with the closing marks behind it.
function piecesOf(words, label) {
  const pieces = label ? [{ text: label, from: words[0].from }] : [];
  words.forEach((word, i) => {
    const text = label && i === 0 ? ` ${word.text.trimStart()}` : word.text;
    if (i && CLOSING.test(text) && !/^\s/u.test(text)) pieces.at(-1).text += text;
    else pieces.push({ text, from: word.from });
  });
  return pieces;
}

// One line, or two of like width, or as many as are needed, each as full as it can be.
function linesOf(pieces) {
  const width = (part) => columnsOf(plainSpaces(part.map((piece) => piece.text).join("")));
  if (width(pieces) <= cuts.width) return [pieces];
  const halves = cuts.lines > 1 ? pieces.slice(1).map((_, i) => [pieces.slice(0, i + 1), pieces.slice(i + 1)]) : [];
  const fitting = halves.filter((pair) => pair.every((half) => width(half) <= cuts.width));
  if (fitting.length) return fitting.reduce((best, pair) => (spread(pair) < spread(best) ? pair : best));
  const lines = [[]];
  for (const piece of pieces) {
    if (lines.at(-1).length && width([...lines.at(-1), piece]) > cuts.width) lines.push([]);
    lines.at(-1).push(piece);
  }
  return lines;

  function spread([upper, lower]) { return Math.abs(width(upper) - width(lower)); }
}

function columnsOf(text) {
  return widthOf(text.normalize("NFC").replace(/\p{M}/gu, ""));
}

function labelOf(name) {
  const widest = Math.floor(cuts.width / 2);
  let label = plainSpaces(name);
  if (columnsOf(label) < widest) return `${label}:`;
  while (columnsOf(label) + 2 > widest) label = [...label].slice(0, -1).join("");
  return `${label}…:`;
}
