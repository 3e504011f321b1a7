//! Plain text in UTF-8 or UTF-16, with or without a byte order mark.

use super::ExtractError;

/// Decodes a text. Bytes in neither encoding are not text.
pub(super) fn decode(bytes: Vec<u8>) -> Result<String, ExtractError> {
    let text = match bytes.as_slice() {
        [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8(rest.to_vec()).ok(),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        unmarked => match side_of_zeros(unmarked) {
            Some(Side::Odd) => utf16(unmarked, u16::from_le_bytes),
            Some(Side::Even) => utf16(unmarked, u16::from_be_bytes),
            None => String::from_utf8(bytes).ok(),
        },
    };
    // A zero character in a text has no meaning.
    text.map(|text| text.replace('\0', " ")).ok_or(ExtractError::Unsupported)
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (pairs, []) = bytes.as_chunks::<2>() else { return None };
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect::<Result<_, _>>().ok()
}

/// The side of the byte pairs on which a text has its zeros.
enum Side {
    Odd,
    Even,
}

/// A text in UTF-16 without a byte order mark has many zeros, all on one side.
fn side_of_zeros(bytes: &[u8]) -> Option<Side> {
    let of_side =
        |side: usize| bytes.iter().skip(side).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (of_side(0), of_side(1));
    match bytes.len() / 10 {
        many if odd > many && even == 0 => Some(Side::Odd),
        many if even > many && odd == 0 => Some(Side::Even),
        _ => None,
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
        assert_eq!(
            decode(vec![0x89, b'P', b'N', b'G', 0, 0, 0, 13]),
            Err(ExtractError::Unsupported)
        );
        assert_eq!(decode(vec![0xff, 0xfe, 0x00]), Err(ExtractError::Unsupported));
        assert_eq!(decode(vec![0xc3, 0x28]), Err(ExtractError::Unsupported));
        assert_eq!(decode(b"refund policy\0 here!".to_vec()).unwrap(), "refund policy  here!");
    }
}
