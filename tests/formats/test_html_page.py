"""The HTML page in a real browser: it plays, finds, shows and marks what it should, and asks nobody for anything."""

import time
from dataclasses import replace

import pytest

from ossicle.formats.html import Media, link_media, write_html
from ossicle.results import Gap
from tests.formats.pages import (
    PLAYED,
    RECORDING,
    SCRIPTS,
    TALK,
    long_talk,
    many_scripts,
    paragraph,
    read_back,
    timed,
    transcript_of,
    until,
    word,
)


def test_a_click_on_a_word_plays_from_it(page):
    word(page, "twelve").click()
    start = next(word.start for word in TALK.words if word.text == " twelve")
    until(page, f"!{PLAYED}.paused && {PLAYED}.currentTime >= {start}")
    assert page.evaluate(f"{PLAYED}.currentTime") - start < 2


def test_playing_moves_the_highlight_to_the_word_that_is_heard(page):
    word(page, "Wake").click()
    until(page, f"{PLAYED}.currentTime > 1.2")
    page.keyboard.press("k")
    until(page, f"{PLAYED}.paused")
    page.wait_for_timeout(100)
    now = page.evaluate(f"{PLAYED}.currentTime")
    expected = [word for word in TALK.words if word.start <= now][-1]
    assert page.locator(".now").all_text_contents() == [expected.text.strip()]


def test_no_word_is_lit_in_a_pause(reader):
    page = reader.open(write_html(transcript_of([timed("One.", 1.0), timed("Two.", 20.0, lead=" ")], None, 21.0)))
    word(page, "One.").click()
    assert page.locator(".now").all_text_contents() == ["One."]
    page.keyboard.press("ArrowRight")
    assert page.locator("#at").text_content() == "0:06"
    assert page.locator(".now").count() == 0


def test_keys_play_seek_and_change_the_speed(page):
    page.keyboard.press("Space")
    until(page, f"!{PLAYED}.paused")
    page.keyboard.press("Space")
    until(page, f"{PLAYED}.paused")
    page.evaluate(f"{PLAYED}.currentTime = 0")
    for key, seconds in (("ArrowRight", 5), ("ArrowLeft", 0), ("ArrowRight", 5), ("j", 0)):
        page.keyboard.press(key)
        until(page, f"Math.abs({PLAYED}.currentTime - {seconds}) < 0.5")
    page.keyboard.press("+")
    assert page.evaluate(f"{PLAYED}.playbackRate") == 1.1


def test_keys_can_be_turned_off_and_are_text_in_fields(page):
    page.keyboard.press("/")
    page.keyboard.type("k e")
    assert page.locator("#query").input_value() == "k e"
    assert page.evaluate(f"{PLAYED}.paused")
    assert not page.locator(".editing").count()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    page.get_by_label("Single keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    assert not page.locator(".editing").count()


def test_a_recording_inside_the_page_plays_and_seeks(reader):
    media = Media(RECORDING.name, data=RECORDING.read_bytes(), mime="audio/ogg")
    page = reader.open(write_html(TALK, media))
    until(page, f"{PLAYED}.readyState >= 1")
    word(page, "church").click()
    until(page, f"!{PLAYED}.paused && {PLAYED}.currentTime > 8")
    assert page.evaluate(f"{PLAYED}.src").startswith("blob:")


def test_a_part_of_the_recording_plays_at_the_times_of_the_whole(reader):
    late = [replace(segment, start=segment.start + 100, end=segment.end + 100, words=tuple(
        replace(word, start=word.start + 100, end=word.end + 100) for word in segment.words)) for segment in TALK.segments]
    media = Media(RECORDING.name, data=RECORDING.read_bytes(), mime="audio/ogg", begin=100.0)
    page = reader.open(write_html(transcript_of(late, "English", 9.1), media))
    until(page, f"{PLAYED}.readyState >= 1")
    word(page, "church").click()
    until(page, f"{PLAYED}.currentTime > 8")
    assert page.locator("#at").text_content() == "1:48"


def test_without_a_recording_the_page_reads_and_lets_one_be_chosen(reader):
    page = reader.open(write_html(TALK, link_media(reader.folder / "moved.opus", reader.folder)))
    page.get_by_text("moved.opus is not where this page expects it").wait_for()
    assert reader.complaints
    reader.complaints.clear()                       # the browser says that a file is missing, which is so
    word(page, "church").click()
    page.get_by_text("There is no recording to play").first.wait_for()
    page.locator("#file").set_input_files(reader.folder / RECORDING.name)
    until(page, f"{PLAYED}.readyState >= 1")
    assert not page.locator("#silent").is_visible()
    word(page, "church").click()
    until(page, f"!{PLAYED}.paused && {PLAYED}.currentTime > 8")


def test_a_chosen_recording_is_taken_for_the_whole(reader):
    page = reader.open(write_html(TALK, Media("part.webm", data=b"no sound at all", mime="audio/webm", begin=3.0)))
    page.get_by_text("part.webm is not where this page expects it, or this browser cannot play it").wait_for()
    page.locator("#file").set_input_files(reader.folder / RECORDING.name)
    until(page, f"{PLAYED}.readyState >= 1")
    word(page, "church").click()
    until(page, f"{PLAYED}.currentTime > 8")


def test_a_file_that_is_no_recording_is_said_to_be_none(reader):
    (reader.folder / "talk.opus").write_text("no sound at all")
    page = reader.open(write_html(TALK, link_media(reader.folder / "talk.opus", reader.folder)))
    page.get_by_text("this browser cannot play it").wait_for()


@pytest.mark.parametrize(("query", "hits"), [
    ("old", 2), ("MY", 1), ("forty-five", 0), ("in the morning", 1), ("e", TALK.text.lower().count("e")), ("morning.", 1), ("morning,", 0),
    ("nothing of it", 0), ("  my   empty ", 1)])
def test_search_counts_its_hits(page, query, hits):
    page.fill("#query", query)
    count = f"1 of {hits}" if hits else "no hits"
    until(page, f"document.getElementById('hits').textContent === '{count}'")
    assert page.evaluate("CSS.highlights.get('hits').size") == hits


@pytest.mark.parametrize(("query", "found"), [
    ("北京吃饭", "北京吃饭"), ("待って", "待って"), ("ตลาด", "ตลาด"), ("दिल्ली", "दिल्ली"), ("غدا يوم", "غدًا يوم"), ("５", None),
    ("好吗", "好吗")])
def test_search_finds_every_script_across_words(reader, query, found):
    page = reader.open(write_html(many_scripts()))
    page.fill("#query", query)
    until(page, "document.getElementById('hits').textContent !== ''")
    assert page.evaluate("[...CSS.highlights.get('hits')].map(String)") == ([found] if found else [])


def test_search_does_not_mind_case_accents_and_width(reader):
    page = reader.open(write_html(transcript_of([timed("Müller saß im CAFÉ Ｎｏ.５, naïve Ångström.", 0.0)], "German", 9.0)))
    for query in ("muller", "SASS", "cafe no", "no5", "naive angstrom"):
        page.fill("#query", query)
        until(page, "document.getElementById('hits').textContent === '1 of 1'")
        page.fill("#query", "")
        until(page, "document.getElementById('hits').textContent === ''")


def test_older_browsers_mark_whole_words(reader):
    window = reader.window()
    window.add_init_script("delete window.Highlight")
    (reader.folder / "page.html").write_text(write_html(TALK), "utf-8")
    page = reader.visit(window.new_page())
    page.fill("#query", "d win")
    until(page, "document.getElementById('hits').textContent === 'no hits'")
    page.fill("#query", "k win")
    until(page, "document.getElementById('hits').textContent === '1 of 1'")
    assert page.locator(".hit-now").all_text_contents() == ["black", "window"]
    page.fill("#query", "")
    until(page, "document.getElementById('hits').textContent === ''")
    assert page.locator(".hit-now, .hit").count() == 0


def test_hits_are_gone_through_in_a_circle_and_come_into_sight(reader):
    page = reader.open(write_html(long_talk(3000)))
    page.fill("#query", "seen it")
    until(page, "document.getElementById('hits').textContent === '1 of 200'")
    page.keyboard.press("Shift+Enter")
    assert page.locator("#hits").text_content() == "200 of 200"
    until(page, "(() => { const [hit] = CSS.highlights.get('hit'); const {top, bottom} = hit.getBoundingClientRect();"
                           "return top > 0 && bottom < innerHeight - 60; })()")
    page.locator("#query").blur()
    page.keyboard.press("n")
    assert page.locator("#hits").text_content() == "1 of 200"


def test_nothing_of_a_transcript_is_ever_markup(reader):
    evil = "</script></noscript></template><img src=x onerror=alert(1)><!--<script>"
    segment = replace(timed(f"{evil} & \u2028 &lt; ${{1}} ]]>", 0.0, evil, speaker=evil), speaker=evil)
    transcript = replace(transcript_of([segment], evil, 9.0, (Gap(8.0, 9.0, evil),)), warnings=(evil,), source=f"a/{evil}.wav")
    page = reader.open(write_html(transcript, Media(f'"{evil}', address=None), f"{evil} ' \" $policy"))
    page.keyboard.press("r")
    assert paragraph(page, 0).text_content() == segment.text
    assert page.locator("h1").text_content() == f"{evil} ' \" $policy"
    assert page.locator(".who").text_content() == evil
    assert page.locator("img").count() == 0
    assert read_back(page, reader.folder) == transcript


def test_every_script_stands_as_it_was_written(reader):
    transcript = many_scripts()
    page = reader.open(write_html(transcript))
    assert page.locator(".body").all_inner_texts() == list(SCRIPTS.values())
    assert page.locator(".body").evaluate_all("all => all.map((one) => getComputedStyle(one).direction)") == ["ltr"] * 4 + ["rtl"]
    assert page.locator(".body").evaluate_all("all => all.map((one) => one.lang)") == ["zh", "ja", "th", "hi", "ar"]
    assert read_back(page, reader.folder) == transcript


def test_what_is_missing_is_marked_where_it_would_stand(reader):
    segments = [timed("The first part.", 0.0), timed("The last part.", 60.0, lead=" ")]
    gaps = (Gap(10.0, 40.0, "the reply repeated itself"), Gap(65.0, 90.0, "it was cancelled"))
    page = reader.open(write_html(replace(transcript_of(segments, None, 90.0, gaps), warnings=("the recording clips",))))
    shown = page.locator("#text > *").all_inner_texts()
    expected = ["The first part.", "0:10 to 0:40", "The last part.", "1:05 to 1:30"]
    assert [words in text for words, text in zip(expected, shown, strict=True)] == [True] * 4
    assert "0:10 to 0:40: text is missing or cut short. The reply repeated itself." in shown[1]
    assert "in 2 places (55 s)" in page.get_by_text("This transcript is incomplete").text_content()
    page.keyboard.press("r")
    assert page.locator("#reviewed").get_by_text("The recording clips.").is_visible()


def test_text_that_was_cut_short_has_an_edge(reader):
    segments = [timed("This is whole.", 0.0), timed("This breaks off", 10.0, lead=" "), timed("Whole again.", 20.0, lead=" ")]
    page = reader.open(write_html(transcript_of(segments, None, 25.0, (Gap(10.0, 14.0, "the token budget ran out"),))))
    assert page.locator(".cut .body").all_text_contents() == ["This breaks off"]


def test_nobody_is_taken_for_the_one_who_spoke_before(reader):
    segments = [timed("Hello.", 0.0, speaker="Anna"), timed("Who is this?", 5.0, lead=" "), timed("I.", 9.0, lead=" ", speaker="Anna")]
    page = reader.open(write_html(transcript_of(segments, None, 12.0)))
    assert page.locator(".who").all_text_contents() == ["Anna", "Unknown speaker", "Anna"]
    assert reader.open(write_html(transcript_of(segments[1:2], None, 12.0))).locator(".who").count() == 0


def test_doubtful_words_are_tinted_listed_and_can_be_checked(page):
    assert page.locator("main .d3").all_text_contents() == [TALK.words[3].text.strip()]
    assert page.locator("main .d1").all_text_contents() == [TALK.words[8].text.strip()]
    assert page.locator(".guess").all_text_contents()[-1] == TALK.words[8].text.strip()
    assert page.locator("#review-count").text_content() == "1"
    page.keyboard.press("r")
    page.get_by_role("button", name="is right").click()
    assert page.locator("#review-count").text_content() == ""
    assert page.locator("main .d3").count() == 0
    page.get_by_label("How unsure").select_option("0.9")
    assert page.locator("#reviewed mark").all_text_contents() == [TALK.words[8].text.strip()]
    page.get_by_role("button", name="Confidence").click()
    assert not page.locator("#legend").is_visible()


def test_words_without_times_play_at_their_share_of_the_segment(reader):
    bare = tuple(replace(segment, words=tuple(replace(word, start=None, end=None, timing=None) for word in segment.words))
                 for segment in TALK.segments)
    transcript = replace(TALK, segments=(replace(bare[0], words=()), *bare[1:]))
    page = reader.open(write_html(transcript, link_media(reader.folder / RECORDING.name, reader.folder)))
    until(page, f"{PLAYED}.readyState >= 1")
    assert "word times estimated" in page.locator("#facts").text_content()
    word(page, "half").click()
    until(page, f"{PLAYED}.currentTime > 0.5 && {PLAYED}.currentTime < 2.5")
    assert read_back(page, reader.folder) == transcript


def test_an_empty_transcript_is_a_page(reader):
    page = reader.open(write_html(transcript_of([], None, 0.0)))
    assert page.get_by_text("Nothing was said").is_visible()
    assert read_back(page, reader.folder).text == ""


@pytest.mark.parametrize("size", [(400, 800), (1280, 800), (640, 400)])     # a phone; a desk, and the same at a zoom of 200 %
def test_everything_is_in_reach_at_every_size(reader, size):
    transcript = replace(TALK, coverage=replace(TALK.coverage, gaps=(Gap(8.0, 9.0, "it was cancelled"),)))
    page = reader.open(write_html(transcript, link_media(reader.folder / RECORDING.name, reader.folder)),
                       viewport={"width": size[0], "height": size[1]})
    until(page, f"{PLAYED}.readyState >= 1")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    for name in ("Confidence", "Review", "Edit", "Export", "Help", "Play", "Follow", "Back 5 seconds"):
        page.get_by_role("button", name=name, exact=name == "Play").click(trial=True)
    unnamed = "[...document.querySelectorAll('button, input:not([hidden]), select')].filter((one) => !one.closest('dialog') &&"
    assert page.evaluate(f"{unnamed} !(one.ariaLabel || one.textContent.trim() || one.labels?.length)).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_of_text_are_readable_on_their_grounds(reader, scheme):
    page = reader.open(write_html(TALK), color_scheme=scheme)
    colour = page.evaluate("""() => {
        const style = getComputedStyle(document.documentElement), names = [...document.styleSheets[0].cssRules[0].style];
        return Object.fromEntries(names.map((name) => [name.slice(2), style.getPropertyValue(name).trim()]));
    }""")
    texts = {"ink": ["ground", "raised", "now", "hit", "hit-now", "doubt-1", "doubt-2", "doubt-3", "line"], "soft": ["ground", "raised"],
             "accent": ["ground", "raised", "accent-ground"], "grave": ["ground", "grave-ground"], "ground": ["accent", "ink"],
             **{f"who-{number}": ["ground"] for number in range(8)}}
    low = {(text, ground): round(contrast(colour[text], colour[ground]), 2) for text, grounds in texts.items() for ground in grounds
           if contrast(colour[text], colour[ground]) < 4.5}
    assert low == {}


def contrast(one, other):
    """As WCAG counts it."""
    def light(colour):
        values = [value / 255 for value in bytes.fromhex(colour.removeprefix("#"))]
        parts = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in values]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    dark, bright = sorted((light(one), light(other)))
    return (bright + 0.05) / (dark + 0.05)


def test_three_hours_open_at_once_and_follow_the_voice(reader):
    transcript = long_talk()
    page = reader.open(write_html(transcript, link_media(reader.folder / RECORDING.name, reader.folder)))
    timing = page.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart")
    assert timing < 6000                            # 1.3 s on two cores with a load of 13
    assert page.locator(".w").count() >= 30_000
    assert page.locator("#length").text_content().startswith(("0:00:0", "2:"))
    began = time.monotonic()
    page.fill("#query", "that day")
    until(page, "document.getElementById('hits').textContent === '1 of 2000'")
    assert time.monotonic() - began < 5


def test_the_page_follows_the_voice_until_the_reader_scrolls(reader):
    lines = [timed("one two three four five six.", 0.05 * place, "English", 0.01, " " if place else "", f"S{place % 2}")
             for place in range(150)]
    page = reader.open(write_html(transcript_of(lines, "English", 9.0), link_media(reader.folder / RECORDING.name, reader.folder)))
    until(page, f"{PLAYED}.readyState >= 1")
    page.keyboard.press("k")
    until(page, "scrollY > 800")
    page.mouse.move(400, 400)
    page.mouse.wheel(0, -10)
    until(page, "document.getElementById('follow').ariaPressed === 'false'")
    page.wait_for_timeout(400)                      # of a scroll that was under way
    before = page.evaluate("scrollY")
    page.wait_for_timeout(700)
    assert page.evaluate("scrollY") == before


def test_paper_gets_the_text_alone(page):
    page.emulate_media(media="print")
    assert not page.locator(".tools").is_visible()
    assert not page.locator(".player").is_visible()
    assert page.locator(".body").first.is_visible()


def test_an_address_may_name_a_time(reader):
    html = write_html(TALK, link_media(reader.folder / RECORDING.name, reader.folder))
    (reader.folder / "page.html").write_text(html, "utf-8")
    page = reader.window().new_page()
    page.goto((reader.folder / "page.html").as_uri() + "#t=5.5")
    until(page, f"{PLAYED}.currentTime === 5.5")
    assert page.locator(".now").count() == 1
