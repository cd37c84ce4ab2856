"""Transcripts of real sentences in seven languages, with word times such as an aligner gives: to be written in every format."""

import random

from ossicle.formats.columns import columns
from ossicle.results import Chunk, Coverage, Segment, Transcript, Turn, Word
from ossicle.text.words import split_words

TEXTS = {
    "English": [
        "Good evening, and welcome to the programme.",
        " Tonight we're looking at a well-known problem: why do some materials, such as glass, break so easily, while others bend?",
        " Dr. Smith says it's 3.14 times more complicated than people think — at 5:30 he showed us.",
        " Yes. No. Maybe!",
        " He spent $5 million (or €4.6 million) on a machine, C++ code & all, that's < 2 % of AT&T's budget; \"the best time "
        "of my life,\" he said.",
    ],
    "German": [
        "Guten Abend, meine Damen und Herren.",
        " Am 3. Mai beginnt die Ausstellung über die Donaudampfschifffahrtsgesellschaft, die lange als größte Reederei der Welt galt.",
        " Wer sie besuchen möchte, sollte sich beeilen, denn die Karten sind, wie Frau Dr. Müller-Lüdenscheidt sagt, fast ausverkauft.",
    ],
    "Chinese": [
        "大家好，欢迎收听今天的节目。",
        "我们今天要讨论的话题是人工智能如何改变我们的日常生活，尤其是在医疗和教育这两个领域。",
        "2026年，Apple发布了iPhone 18，价格是8999.50元。",
        "“你觉得贵吗？”他问。",
        "我说：还可以吧……不过我还是会等到明年降价以后再买一部新的手机送给我的父母——他们一直想要。",
    ],
    "Japanese": [
        "皆さん、こんばんは。",
        "今日は東京の古い町並みについてお話ししたいと思います。",
        "この写真は、1964年のオリンピックの直前に撮影されたもので、まだ高速道路が建設されていない頃の日本橋の様子がよくわかります。",
        "「ちょっと待って」と彼女は言った。",
        "コンピューターもスマートフォンもない時代に、人々はどのように暮らしていたのでしょうか。",
    ],
    "Thai": [
        "สวัสดีครับ วันนี้เราจะมาพูดถึงอาหารไทยที่มีชื่อเสียงไปทั่วโลก เช่น ต้มยำกุ้ง ผัดไทย และส้มตำ",
        " หลายคนคิดว่าอาหารไทยต้องเผ็ดเสมอ แต่จริงๆ แล้วมีอาหารไทยหลายอย่างที่ไม่เผ็ดเลย",
        " ร้านนี้เปิดมา 25 ปีแล้ว ราคาเริ่มต้นที่ 59.50 บาท คุณชอบกินอะไรครับ",
    ],
    "Hindi": [
        "नमस्ते, आज के कार्यक्रम में आपका स्वागत है।",
        " हम भारत की नदियों के बारे में बात करेंगे, जो लाखों लोगों के जीवन का आधार हैं।",
        " क्या आप जानते हैं कि गंगा की लंबाई लगभग 2,525 किलोमीटर है?",
        " हिन्दी में उत्तर दीजिए।",
    ],
    "Arabic": [
        "مساء الخير، وأهلاً بكم في نشرة الأخبار.",
        " أعلنت الحكومة اليوم عن خطة جديدة لتطوير التعليم في المدارس الحكومية، وذلك بعد سنوات من النقاش بين الخبراء والمعلمين.",
        " هل ستنجح هذه الخطة بنسبة 75٪؟",
        " هذا ما سنعرفه في الأيام القادمة؛ إلى اللقاء.",
    ],
}
COLUMNS_PER_SECOND = 14.0


def spoken(language: str, speakers: tuple[str, ...] = (), seed: int = 1) -> Transcript:
    """The sentences of a language as segments with timed words; speakers take turns, one sentence each."""
    chance, now = random.Random(seed), 0.4
    segments, turns = [], []
    for number, text in enumerate(TEXTS[language]):
        speaker = speakers[number % len(speakers)] if speakers else None
        words, start = [], now
        for word in split_words(text):
            end = now + max(0.06, columns(word.strip()) / COLUMNS_PER_SECOND * chance.uniform(0.8, 1.2))
            words.append(Word(word, round(now, 3), round(end, 3), round(chance.uniform(0.6, 1.0), 3), "aligned", speaker))
            now = round(end + (chance.uniform(0.05, 0.3) if word.rstrip()[-1] in ",،，、;؛:" else 0.0), 3)
        segments.append(Segment(text, round(start, 3), words[-1].end, language, 0.8, tuple(words), speaker))
        turns += [Turn(round(start, 3), words[-1].end, speaker)] if speaker else []
        now = round(now + chance.uniform(0.2, 1.2), 3)
    whole, duration = "".join(TEXTS[language]), round(now + 0.5, 3)
    chunk = Chunk(0, 0.0, duration, whole, language, "eos", num_tokens=len(whole), mean_logprob=-0.1)
    return Transcript(whole, language, duration, tuple(segments), (chunk,), Coverage(duration, duration, 0.0, 0.0),
                      source=f"talks/{language} talk.wav", turns=tuple(turns))
