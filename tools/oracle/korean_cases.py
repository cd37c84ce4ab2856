"""Korean sentences in, the official aligner's units out: tests/golden/korean_units.json. Run it where qwen-asr and soynlp are installed.

    python tools/oracle/korean_cases.py WORDLIST

WORDLIST is `korean_dict_jieba.dict` of the official package. The sentences are our own; the made-up words join random entries of the list.
"""

import json
import random
import sys
import unicodedata
from pathlib import Path

from soynlp.tokenizer import LTokenizer

TARGET = Path(__file__).resolve().parents[2] / "tests" / "golden" / "korean_units.json"
SENTENCES = """
안녕하세요, 저는 어제 서울에서 왔습니다.
오늘 회의는 오후 세 시 반에 시작합니다.
이 문제를 어떻게 해결해야 할까요?
아버지께서는 매일 아침 신문을 읽으십니다.
2024년 12월 31일까지 신청하시기 바랍니다.
그 사람은 한국어를 아주 잘해요!
컴퓨터가 갑자기 꺼졌는데 왜 그런지 모르겠어요.
우리나라의 경제 성장률은 3.5%로 나타났다.
“내일 다시 만나자”라고 그가 말했다.
친구들이랑 같이 영화를 보러 갔다가 늦게 돌아왔어요.
학생들에게 질문을 던졌지만 아무도 대답하지 않았습니다.
버스정류장 앞에서 기다리고 있을게.
대한민국의 수도는 서울특별시이다.
iPhone으로 사진을 찍어서 SNS에 올렸어요.
아, 그러니까… 음, 제 생각에는요.
밥 먹었어? 응, 먹었지.
할머니댁에 가서 맛있는 음식을 많이 먹고 왔습니다.
음성인식기술이 빠르게 발전하고 있다.
눈이 많이 와서 비행기가 취소되었대요.
가 나 다라 마바사
값싸고 질 좋은 물건을 찾기가 쉽지 않네요.
""".strip().split("\n")


def main(path: str) -> None:
    """Read the list, make the cases, write them."""
    words = [line.split()[0] for line in Path(path).read_text("utf-8").splitlines() if line.strip()]
    tokenizer = LTokenizer(scores=dict.fromkeys(words, 1.0))
    chance = random.Random(20)
    hangul = [word for word in words if all("\uac00" <= char <= "\ud7a3" for char in word)]
    made_up = [" ".join("".join(chance.choices(hangul, k=chance.randint(1, 3))) for _ in range(4)) for _ in range(40)]
    cases = [{"text": text, "units": [unit for token in tokenizer.tokenize(text) if (unit := kept(token))]}
             for text in [*SENTENCES, *made_up]]
    TARGET.write_text(json.dumps(cases, ensure_ascii=False, indent=1) + "\n", "utf-8")


def kept(token: str) -> str:
    """The official `clean_token`."""
    return "".join(char for char in token if char == "'" or unicodedata.category(char)[0] in "LN")


if __name__ == "__main__":
    main(sys.argv[1])
