//! For any text, words, tokens and counts are those of `bpe-openai`.

use vocabulary_check::{Chance, Pair, pairs, tokens};

/// Some texts for all cases of the patterns.
const TEXTS: &[&str] = &[
    "",
    "Hello! I'm here and you'll see that WE'RE THERE, IT'S they'Ve I'D 'Tis 'twas don'T",
    "\u{17f} '\u{17f} a'\u{17f} A'\u{17f}b '\u{17f}\u{17f} '\u{212a} 'K 'ſt x'ſ'S'ſ",
    "'s's't're 'll'LL'lL'Ll 'l 'le 'rE 'r 'v 'vE'VE'D'd'M'm' ''s '''s s' 's",
    "Привет, Джейн Доу! ПРИВЕТ Ёлка їжак",
    "Γειά σου Κόσμε ὮΜΕΓΑ ᾈ ᾳ ΐ",
    "مرحبا بالعالم ١٢٣٤٥ هٰذَا",
    "שלום עולם נִקּוּד",
    "नमस्ते दुनिया १२३४ क्षत्रिय",
    "สวัสดีชาวโลก ๑๒๓๔ ก็",
    "안녕하세요 세계 각",
    "日本語のテキスト カタカナー 々ヶ 東京2024年",
    "你好，世界。中文文本１２３４",
    "x = 1 🎉👩‍👩‍👧 👍🏽 🇩🇪 ❤️ 1️⃣ #️⃣",
    "e\u{301}a\u{308}\u{301} \u{301}abc \u{301}ABC \u{301}\u{301}Abc A\u{301}BC A\u{301}bc aB\u{301}c",
    "\u{301}AB \u{301}\u{301} 1\u{301} !\u{301}! \n\u{301}A \u{301}",
    "ªAB ªAb AªB AªBC ABªCDe ǅabc ǅABC aǅb ʰAB ʰab AʰB中AB中ab A中B",
    "fn main() {\r\n\tlet x = vec![1, 22, 333, 4444];\r\n\r\n    println!(\"{x:?}\");\r\n}\r\n",
    "{\"a\":[1,2.5e-10,null,true],\"b\\n\":\"c\"}/*//\n/ */ a/b //\r\n/x",
    " \n\n\t",
    "  \n  a  \n\n  b   \r\n \r\r\n\n c\t\td \u{a0}\u{a0}e\u{a0}f\u{85}\u{85}g\u{2028}h\u{2029}\u{2028} i\u{3000}j\u{3000}\u{3000}k",
    "   ",
    "a   ",
    "a \n",
    "a \n ",
    "\u{1c}\u{1d}\u{1e}\u{1f}\u{b}\u{c} \u{200b}\u{feff}a\u{180e}",
    "123456789 1 12 1234 ½²Ⅷ৪五٣a1b22",
    "camelCaseHTTPServer XMLHttpRequest iPhone McDonald's ABC's abC'S Don'tStop",
    "\u{10ffff}\u{e0100}\u{e01ef}\u{e01f0}\u{e000}\u{fffd}",
];

fn each(test: impl Fn(&Pair)) {
    pairs().iter().for_each(test);
}

/// The texts in this repository: prose, code, JSON and YAML.
fn real() -> Vec<String> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut texts = Vec::new();
    for folder in ["", "docs", "src/engine", "src/fixture", "tests/it", "fixtures", "migrations"] {
        let files = std::fs::read_dir(root.join(folder)).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.filter(|path| path.is_file()).collect();
        files.sort();
        texts.extend(files.iter().filter_map(|file| std::fs::read_to_string(file).ok()));
    }
    assert!(texts.len() > 50, "{}", texts.len());
    texts
}

fn cut(text: &str, start: usize, end: usize) -> &str {
    let (start, end) = (text.floor_char_boundary(start), text.floor_char_boundary(end));
    &text[start..end.max(start)]
}

#[test]
fn picked_texts() {
    each(|pair| {
        for text in TEXTS {
            for (start, _) in text.char_indices() {
                pair.same(&text[start..]);
                pair.same(&text[..start]);
            }
        }
        pair.same(&TEXTS.concat());
        pair.same(&TEXTS.concat().to_uppercase());
        pair.same(&TEXTS.concat().to_lowercase());
    });
}

#[test]
fn real_texts() {
    let texts = real();
    each(|pair| texts.iter().for_each(|text| pair.same(text)));
}

#[test]
fn parts_of_real_texts() {
    let texts = real();
    each(|pair| {
        let mut chance = Chance(1);
        for _ in 0..60_000 {
            let text = chance.of(&texts);
            let start = chance.below(text.len());
            let longest = *chance.of(&[10, 100, 1000]);
            pair.same(cut(text, start, start + chance.below(longest)));
        }
    });
}

#[test]
fn each_token_as_a_text_and_as_a_word() {
    each(|pair| {
        for (rank, token) in tokens(pair.theirs).iter().enumerate() {
            assert_eq!(pair.lengths(token), [token.len()], "{} {rank}", pair.name);
            if let Ok(text) = std::str::from_utf8(token) {
                pair.same(text);
                pair.same(&format!("{text}{text}"));
            }
        }
    });
}

#[test]
fn two_and_three_tokens_and_random_bytes() {
    each(|pair| {
        let (tokens, mut chance) = (tokens(pair.theirs), Chance(2));
        for _ in 0..200_000 {
            let number = 2 + chance.below(5);
            let word: Vec<u8> = (0..number).flat_map(|_| chance.of(&tokens).clone()).collect();
            pair.same_tokens(&word);
            pair.same(&String::from_utf8_lossy(&word));
        }
        for _ in 0..50_000 {
            let length = chance.below(200);
            let word: Vec<u8> = (0..length).map(|_| chance.below(256) as u8).collect();
            pair.same_tokens(&word);
        }
    });
}

#[test]
fn each_character_beside_others() {
    each(|pair| {
        for c in '\0'..=char::MAX {
            for (before, after) in [
                ("", ""),
                ("a", "b"),
                ("A", "B"),
                ("", "a"),
                ("", "A"),
                ("'", ""),
                ("a'", "b"),
                (" ", ""),
                ("  ", " "),
                ("\n", "\n"),
                ("1", "2"),
                ("!", "\n"),
                ("\u{301}", "A"),
                ("中", "A"),
                (" ", "a"),
                ("!", "/"),
            ] {
                pair.same_words(&format!("{before}{c}{after}"));
            }
        }
    });
}

#[test]
fn all_short_texts_of_some_characters() {
    let characters: Vec<char> = "aAtlL'ſ1² \u{a0}\n\r\t/!中ʰǅ\u{301}".chars().collect();
    for pair in &pairs() {
        let number = characters.len();
        for length in 1..=5 {
            for mut code in 0..number.pow(length) {
                let mut text = String::new();
                for _ in 0..length {
                    text.push(characters[code % number]);
                    code /= number;
                }
                pair.same_words(&text);
            }
        }
    }
}

/// The parts of random texts. A part that is listed more often is used more often.
const PIECES: &[&str] = &[
    " ",
    " ",
    " ",
    "  ",
    "\n",
    "\n",
    "\r\n",
    "\r",
    "\t",
    "\u{a0}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\u{3000}",
    "\u{1680}",
    "\u{200b}",
    "\u{feff}",
    "\u{b}",
    "\u{c}",
    "\u{1f}",
    "a",
    "e",
    "the",
    "ing",
    "B",
    "C",
    "THE",
    "Hello",
    "é",
    "É",
    "ß",
    "ſ",
    "\u{212a}",
    "ǅ",
    "ʰ",
    "ª",
    "ж",
    "Ж",
    "λ",
    "Λ",
    "ا",
    "ש",
    "क",
    "ก",
    "한",
    "の",
    "中",
    "文",
    "\u{301}",
    "\u{308}",
    "\u{93f}",
    "\u{20dd}",
    "\u{fe0f}",
    "\u{e0100}",
    "1",
    "22",
    "333",
    "4444",
    "٣",
    "५",
    "Ⅷ",
    "½",
    "²",
    "五",
    "'",
    "'s",
    "'S",
    "'ſ",
    "'t",
    "'re",
    "'RE",
    "'vE",
    "'ll",
    "'Ll",
    "'d",
    "'m",
    "’s",
    ".",
    ",",
    "!",
    "?",
    "//",
    "/",
    "-",
    "_",
    "(",
    ")",
    "{",
    "}",
    "\"",
    "==",
    "🎉",
    "👩‍👩‍👧",
    "🇩🇪",
    "\u{200d}",
    "€",
    "\u{e000}",
    "\u{10ffff}",
];

#[test]
fn random_texts() {
    each(|pair| {
        let mut chance = Chance(3);
        for round in 0..300_000 {
            let (mut text, length) = (String::new(), 1 + chance.below(24));
            for _ in 0..length {
                match (round % 4, chance.below(8)) {
                    (0, _) => text.push(chance.character(0x80)),
                    (1, _) => text.push(chance.character(0x11_0000)),
                    (_, 0) => text.push(chance.character(0x3000)),
                    (_, 1) => text.push(chance.character(0x2_0000)),
                    _ => text.push_str(chance.of::<&str>(PIECES)),
                }
            }
            pair.same(&text);
        }
    });
}

#[test]
fn hostile_texts() {
    let mut chance = Chance(4);
    let random: String = (0..1 << 20).map(|_| (b'a' + chance.below(26) as u8) as char).collect();
    for pair in &pairs() {
        for repeated in [
            "a", " ", "\n", "0", "🎉", "\u{301}", "'", "A", "中", "ab", "aA", "'s", "\r\n", " \n",
            "ªA",
        ] {
            for length in [63, 64, 65, 100, 127, 128, 129, 1000, 1001, 100_000] {
                pair.same(&repeated.repeat(length));
            }
        }
        pair.same(&random);
    }
}
