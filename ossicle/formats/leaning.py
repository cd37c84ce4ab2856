"""Words that lean on a neighbour, by language, as the transcripts name languages: where a line had better not end, and where it may.

Lists for the languages in which we could check them; for all others the characters alone decide (places.py).
"""

# Their full stop ends no sentence. Not "no.", which is a sentence more often than a number.
ABBREVIATIONS = (
    "mr mrs ms dr prof st jr sr vs etc vol fig approx dept inc ltd co corp gen col lt sgt capt rev hon "
    "bzw usw ca evtl ggf inkl nr str tel hr fr z.b d.h u.a s.o e.g i.e a.m p.m u.s u.k cf al "
    "mme mlle sra dra ud uds sig dott ing av pág núm"
)

# Words that belong to the next one: articles, prepositions, possessives.
LEAN_ON = {
    "English": (
        "a an the of to in on at by for with from into onto over under about through between without than as my your his her "
        "its our their this that these those and or but nor if is are was were be been not no mr mrs ms dr very i you he she we "
        "they it's i'm don't how what"),
    "German": (
        "der die das den dem des ein eine einen einem einer eines kein keine und oder aber in im am an auf aus bei mit nach von "
        "vom vor zu zum zur für über unter durch um ohne bis als wie mein dein sein ihr unser nicht sehr ich du er sie es wir "
        "dass ob"),
    "French": (
        "le la les un une des du de d' l' au aux à en dans sur sous par pour avec sans chez et ou mais ni que qui mon ma mes "
        "ton ta tes son sa ses notre nos votre vos leur leurs ce cet cette ces je tu il elle on nous vous ils elles ne se me te "
        "y très plus"),
    "Spanish": (
        "el la los las un una unos unas de del a al en con por para sin sobre entre y e o u ni pero que mi tu su mis tus sus "
        "este esta estos estas ese esa yo no se me te le lo les nos muy más como si"),
    "Italian": (
        "il lo la i gli le un uno una di del dello della dei degli delle a al allo alla ai agli alle da dal dalla in nel nella "
        "con su sul sulla per tra fra e o ma che mio mia tuo sua questo questa non si mi ti ci vi molto più se"),
    "Portuguese": (
        "o a os as um uma uns umas de do da dos das em no na nos nas a ao à por pelo pela para com sem e ou mas que meu minha "
        "seu sua este esta esse essa não se me te lhe muito mais"),
    "Dutch": (
        "de het een van in op aan bij met naar voor door om uit over onder en of maar dat die mijn jouw zijn haar ons onze niet "
        "heel ik je jij hij zij ze we wij te"),
    "Russian": (
        "в во на с со к ко о об от до из за по под над при для без и а но или не ни что как это мой моя твой его её наш ваш я "
        "ты он она мы вы они"),
    "Arabic": "في من على إلى عن مع أن إن لا ما لم لن هذا هذه ذلك تلك التي الذي كل غير بين قبل بعد عند",
    "Hindi": "और या यह वह एक इस उस मेरा मेरी मेरे आपका आपकी हमारा न",
}
# Words that belong to the one before: postpositions, and the particles of scripts without spaces.
LEAN_BACK = {
    "Hindi": "का की के को ने से में पर तक भी ही तो है हैं था थी थे हूँ रहा रही रहे",
    "Chinese": "的 了 吗 呢 吧 啊 们 着 过 地 得 嘛 呀",
    "Cantonese": "嘅 咗 呀 啦 喎 咩 哋 緊 過 㗎 囉 吖",
}
# Words that begin a phrase, where a line had better end before them.
BEGINNERS = {
    "English": "and or but because when while which who that if so then where although though before after until unless with for from",
    "German": "und oder aber weil wenn während der die das dass ob denn sondern obwohl bevor nachdem bis damit mit für von",
    "French": "et ou mais parce quand lorsque qui que dont où si donc car comme avec pour sans dans",
    "Spanish": "y o pero porque cuando mientras que quien donde si entonces aunque como con para por sin",
    "Italian": "e o ma perché quando mentre che chi dove se quindi anche come con per senza",
    "Portuguese": "e ou mas porque quando enquanto que quem onde se então embora como com para por sem",
    "Dutch": "en of maar omdat als wanneer terwijl die dat waar hoewel voordat nadat totdat met voor van",
    "Russian": "и или но а что чтобы потому когда пока который которая которые где если хотя как",
    "Arabic": "ثم أو لكن لأن عندما حيث إذا حتى بينما",
    "Hindi": "और या लेकिन क्योंकि जब कि जो अगर तो जहाँ ताकि",
}
