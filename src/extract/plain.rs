//! Plain text in UTF-8 or UTF-16, with or without a mark at its beginning.

use super::NoText;

/// Decodes a text. What is neither is not text.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, NoText> {
    let text = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        unmarked => match zeros(unmarked) {
            Zeros::None => String::from_utf8(bytes).ok(),
            Zeros::Odd => utf16(unmarked, u16::from_le_bytes),
            Zeros::Even => utf16(unmarked, u16::from_be_bytes),
            Zeros::Anywhere => None,
        },
    };
    text.ok_or(NoText::Unsupported)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

/// Where the zeros of a text are: those of UTF-16 are all on one side.
enum Zeros {
    None,
    Odd,
    Even,
    Anywhere,
}

fn zeros(bytes: &[u8]) -> Zeros {
    let of_side = |side: usize| bytes.iter().skip(side).step_by(2).any(|byte| *byte == 0);
    match (of_side(0), of_side(1)) {
        (false, false) => Zeros::None,
        (false, true) => Zeros::Odd,
        (true, false) => Zeros::Even,
        (true, true) => Zeros::Anywhere,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_decoded_with_and_without_a_mark() {
        let text = "Hello, мир, 世界";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(text.into()).unwrap(), text);
        assert_eq!(decode([&[0xef, 0xbb, 0xbf], text.as_bytes()].concat()).unwrap(), text);
        assert_eq!(decode([&[0xff, 0xfe], little.as_slice()].concat()).unwrap(), text);
        assert_eq!(decode([&[0xfe, 0xff], big.as_slice()].concat()).unwrap(), text);
        assert_eq!(decode(little).unwrap(), text);
        assert_eq!(decode(big).unwrap(), text);
    }

    #[test]
    fn what_is_not_text_is_refused() {
        assert_eq!(decode(vec![0x89, b'P', b'N', b'G', 0, 0, 0, 13]), Err(NoText::Unsupported));
        assert_eq!(decode(vec![0xff, 0xfe, 0x00]), Err(NoText::Unsupported));
        assert_eq!(decode(vec![0xc3, 0x28]), Err(NoText::Unsupported));
    }
}
