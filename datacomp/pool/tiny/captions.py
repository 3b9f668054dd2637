"""Alt-texts: a name in the styles of the web, in fourteen languages, and junk.

Pure functions of a name and a random generator. Which row gets which caption is the plan's affair.
"""

from collections.abc import Mapping
from random import Random

# Styles with {a} take the name with its article, {Name} with a capital; {adj} is a filler word that
# says nothing of the picture. One caption in ten is the bare name.
ENGLISH_STYLES = (
    "{name}",
    "{a}",
    "{a} emoji",
    "this is {a}",
    "picture of {a}",
    "{adj} drawing of {a}",
    "{adj} picture of {a}",
    "the {adj} {name} icon",
    "{adj} {name} sticker, {group}",
    "{Name} in the category {group}",
)
ADJECTIVES = ("cute", "lovely", "funny", "simple", "modern", "beautiful", "high quality", "free")

OTHER_STYLES: Mapping[str, tuple[str, ...]] = {
    "ar": ("{name}", "صورة {name}", "ملصق {name} مجاني", "رمز تعبيري: {name}"),
    "de": ("{name}", "Bild von {name}", "Aufkleber: {name}, zum Ausdrucken", "das Emoji {name}"),
    "es": ("{name}", "imagen de {name}", "pegatina de {name} para niños", "dibujo de {name}"),
    "fa": ("{name}", "تصویر {name}", "برچسب {name} رایگان", "شکلک {name}"),
    "fr": ("{name}", "image de {name}", "autocollant {name} pour enfants", "dessin de {name}"),
    "id": ("{name}", "gambar {name}", "stiker {name} untuk anak-anak", "ikon {name} gratis"),
    "it": ("{name}", "immagine di {name}", "adesivo {name} per bambini", "disegno di {name}"),
    "ja": ("{name}", "{name}のイラスト", "{name}の絵文字", "かわいい{name}のステッカー"),
    "ko": ("{name}", "{name} 그림", "{name} 이모티콘", "귀여운 {name} 스티커"),
    "pt": ("{name}", "imagem de {name}", "adesivo de {name} para crianças", "desenho de {name}"),
    "ru": ("{name}", "картинка: {name}", "наклейка {name} для детей", "эмодзи {name}"),
    "tr": ("{name}", "{name} resmi", "çocuklar için {name} çıkartması", "{name} emojisi"),
    "zh": ("{name}", "{name}的图片", "可爱的{name}贴纸", "{name}表情符号"),
}

JUNK_TEXTS = (
    "click here free shipping",
    "Click here to see more",
    "Add to cart",
    "Buy now and save 20% on your first order",
    "image",
    "logo",
    "untitled",
    "banner",
    "thumbnail",
    "home",
    "photo",
    "Share on Facebook",
    "loading...",
    "next",
    "No image available",
    "Sign up for our newsletter",
    "advertisement",
    "default title",
)
JUNK_FILES = (
    "IMG_{n}.JPG",
    "DSC0{n}.jpg",
    "image{n}.png",
    "product-{n}-1.jpg",
    "WP_2016{n}.jpg",
    "screenshot {n}.png",
    "{n}",
    "#{n}",
    "{n}x{m}",
    "SKU {n}-{m}",
    "page {m}",
    "p{n}_{m}",
)


def english(name: str, group: str, rng: Random) -> str:
    """`name` in an English style; `group` as in "Animals & Nature"."""
    return rng.choice(ENGLISH_STYLES).format(
        name=name,
        Name=name[:1].upper() + name[1:],
        a=with_article(name),
        group=group.lower(),
        adj=rng.choice(ADJECTIVES),
    )


def foreign(names: Mapping[str, str], rng: Random) -> str | None:
    """The name in one of the languages that have one, in a style of that language."""
    languages = sorted(OTHER_STYLES.keys() & names.keys())
    if not languages:
        return None
    language = rng.choice(languages)
    return rng.choice(OTHER_STYLES[language]).format(name=names[language])


def junk(rng: Random) -> str:
    """What the web calls an alt-text and is none."""
    if rng.random() < 0.5:
        return rng.choice(JUNK_TEXTS)
    return rng.choice(JUNK_FILES).format(n=rng.randrange(1000, 99999), m=rng.randrange(1, 999))


def with_article(name: str) -> str:
    """`a rabbit`, `an owl`; plurals and names get the article too, as on many a web page."""
    return ("an " if name[:1].lower() in "aeiou" else "a ") + name
