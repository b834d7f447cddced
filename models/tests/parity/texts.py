"""Texts on which our encoder is compared with the published one: lengths from none to far beyond
256 tokens, and whatever is awkward for a tokenizer."""

PROSE = (
    "The Zugspitze, at 2,962 m above sea level, is the highest peak of the Wetterstein Mountains "
    "and the highest mountain in Germany. It lies south of the town of Garmisch-Partenkirchen in "
    "Bavaria, and the border between Germany and Austria is on its western summit. "
)

TEXTS = [
    "a",
    "Hello, world!",
    "Which of the companies that sued X in 2023 later settled, and what did each settlement cost?",
    "The cat sat on the mat.",
    "A feline rested on a rug.",
    "Interest rates were raised by 25 basis points.",
    "fn main() { println!(\"{}\", xs.iter().map(|x| x * 2).sum::<i32>()); }",
    "def f(x): return x**2 if x>0 else None  # comment",
    "Carsten Erik Olsen (1891-1974) was a Danish botanist; see also K\u00f8benhavn.",
    "Caf\u00e9 na\u00efve \u00c5ngstr\u00f6m \u0130stanbul \u1e9ealles Stra\u00dfe fa\u00e7ade",
    "cafe\u0301 decomposed and cafe\u0301s, e\u0323\u0302",
    "\u4e2d\u6587\u6d4b\u8bd5\u6587\u672c and \u65e5\u672c\u8a9e\u306e\u30c6\u30b9\u30c8",
    "\ud55c\uad6d\uc5b4 \ud14d\uc2a4\ud2b8 \u0440\u0443\u0441\u0441\u043a\u0438\u0439 \u03b5\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac",
    "\u0639\u0631\u0628\u064a \u05e2\u05d1\u05e8\u05d9\u05ea \u0939\u093f\u0928\u094d\u0926\u0940 \u0e44\u0e17\u0e22",
    "emoji \U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 \u2764\ufe0f and flags \U0001f1e9\U0001f1ea",
    "zero\u200bwidth soft\u00adhyphen nbsp\u00a0here \ufeffbom \u2028line",
    "tabs\tand\nnewlines\r\nand  double  spaces",
    "control \u0001\u0002 chars \u007f and replacement \ufffd char",
    "$100 + \u20ac200 = \u00a3? 50% @home #tag ^_^ `code` ~tilde <b>bold</b> \u00a7 12 \u2014 dash \u2026",
    "\u2018quotes\u2019 \u201cdouble\u201d \u00abguillemets\u00bb \u300c\u65e5\u300d \u00bfqu\u00e9?",
    "supercalifragilisticexpialidocious antidisestablishmentarianism",
    "x" * 99 + " " + "y" * 100 + " " + "z" * 101,
    "http://example.com/path?query=1&other=two#frag user@example.org C:\\dir\\file.txt",
    "1234567890 3.14159 1,000,000 0x7fff 12:34:56 2023-10-30T20:56:51Z",
    "ALL CAPS AND MiXeD CaSe \u01c4 \u1e08 \ufb01 ligature \u2167 roman \u00bd half",
    "\u0394x \u2264 \u03b5 \u21d2 |f(x)\u2212f(y)| < \u03b4, \u2200x \u2208 \u211d\u207a \u222b\u2080\u00b9 x\u00b2 dx",
    PROSE,
    PROSE * 2,
    PROSE * 4,
    PROSE * 12,
    " ".join(str(i) for i in range(400)),
    "When was the author of the book that inspired the film born?",
]
