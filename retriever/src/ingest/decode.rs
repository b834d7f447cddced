//! Bytes to text: byte order marks, UTF-8, else the likeliest legacy encoding.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Why bytes are no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotText;

/// Text with what was done to get it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) text: String,
    /// What to tell the user, when the bytes were not plain UTF-8.
    pub(super) warning: Option<String>,
}

/// How many bytes the encoding is guessed from.
const GUESS_BYTES: usize = 256 * 1024;

/// Decodes `bytes`. `declared` is the encoding that the file names itself (an HTML `charset`).
///
/// Bytes with NULs that are not UTF-16 are not text.
pub(super) fn decode(bytes: Vec<u8>, declared: Option<&str>) -> Result<Decoded, NotText> {
    if let Some((encoding, skip)) = Encoding::for_bom(&bytes) {
        return Ok(from_marked(&bytes[skip..], encoding));
    }
    let bytes = match String::from_utf8(bytes) {
        Ok(text) if text.as_bytes().contains(&0) => return Err(NotText),
        Ok(text) => {
            return Ok(Decoded {
                text,
                warning: None,
            });
        }
        Err(error) => error.into_bytes(),
    };
    if bytes.contains(&0) {
        return Err(NotText);
    }
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    // UTF-16 without a mark would have shown NULs; a declaration of it is a mistake.
    let declared = declared.filter(|&e| e != UTF_16LE && e != UTF_16BE);
    if let Some(encoding) = declared.filter(|&e| e != UTF_8) {
        let (text, _, replaced) = encoding.decode(&bytes);
        if !replaced {
            return Ok(Decoded {
                text: text.into_owned(),
                warning: None,
            });
        }
    }
    if let Some(decoded) = mostly_utf8(&bytes) {
        return Ok(decoded);
    }
    let guess = guess(&bytes);
    let (text, _, replaced) = guess.decode(&bytes);
    let name = guess.name().to_ascii_lowercase();
    let loss = if replaced {
        ", with replacement characters"
    } else {
        ""
    };
    Ok(Decoded {
        text: text.into_owned(),
        warning: Some(format!("decoded as {name} (not valid UTF-8){loss}")),
    })
}

fn from_marked(bytes: &[u8], encoding: &'static Encoding) -> Decoded {
    let (text, replaced) = encoding.decode_without_bom_handling(bytes);
    let name = encoding.name();
    let warning = if replaced {
        Some(format!("invalid {name} was replaced by U+FFFD"))
    } else if encoding == UTF_8 {
        None // a mark is common and takes nothing away
    } else {
        Some(format!("decoded as {name} (byte order mark)"))
    };
    Decoded {
        text: text.into_owned(),
        warning,
    }
}

/// Text in UTF-8 with a few broken bytes, such as a log that was cut in mid-character.
///
/// `None` unless sound characters beyond ASCII outnumber the broken places ten to one; a legacy
/// encoding hardly ever forms sound UTF-8 by chance.
fn mostly_utf8(bytes: &[u8]) -> Option<Decoded> {
    let (mut sound, mut broken) = (0_usize, 0_usize);
    for chunk in bytes.utf8_chunks() {
        // Every character beyond ASCII has one byte that is no continuation byte above 0x7f.
        sound += chunk.valid().bytes().filter(|b| *b >= 0xc0).count();
        broken += usize::from(!chunk.invalid().is_empty());
    }
    (sound >= 10 * broken).then(|| Decoded {
        text: String::from_utf8_lossy(bytes).into_owned(),
        warning: Some(format!(
            "{broken} invalid UTF-8 sequences were replaced by U+FFFD"
        )),
    })
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    // Begin the sample shortly before the first byte beyond ASCII, which may come late.
    let first = bytes
        .iter()
        .position(|b| *b >= 0x80)
        .unwrap_or(0)
        .saturating_sub(1024);
    let sample = &bytes[first..bytes.len().min(first + GUESS_BYTES)];
    detector.feed(sample, true);
    detector.guess(None, chardetng::Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_of(bytes: &[u8]) -> (String, Option<String>) {
        let decoded = decode(bytes.to_vec(), None).unwrap();
        (decoded.text, decoded.warning)
    }

    #[test]
    fn utf8_is_kept_and_its_mark_dropped() {
        assert_eq!(
            text_of("na\u{ef}ve".as_bytes()),
            ("na\u{ef}ve".into(), None)
        );
        assert_eq!(text_of(b"\xef\xbb\xbfhello"), ("hello".into(), None));
    }

    #[test]
    fn utf16_is_known_by_its_mark() {
        let mut bytes = vec![0xff, 0xfe];
        bytes.extend("Gr\u{fc}n".encode_utf16().flat_map(u16::to_le_bytes));
        let (text, warning) = text_of(&bytes);
        assert_eq!(text, "Gr\u{fc}n");
        assert!(warning.unwrap().contains("UTF-16LE"));
    }

    #[test]
    fn a_legacy_encoding_is_guessed_and_named() {
        let (text, warning) =
            text_of(b"The caf\xe9 closed in 1998; na\xefve plans \x96 all of them.");
        assert_eq!(
            text,
            "The caf\u{e9} closed in 1998; na\u{ef}ve plans \u{2013} all of them."
        );
        assert_eq!(
            warning.unwrap(),
            "decoded as windows-1252 (not valid UTF-8)"
        );
    }

    #[test]
    fn one_broken_byte_does_not_make_utf8_a_legacy_text() {
        let mut bytes = "\u{e4}\u{f6}\u{fc}".repeat(10).into_bytes();
        bytes.push(0xff);
        let (text, warning) = text_of(&bytes);
        assert!(text.ends_with("\u{fc}\u{fffd}"));
        assert_eq!(
            warning.unwrap(),
            "1 invalid UTF-8 sequences were replaced by U+FFFD"
        );
    }

    #[test]
    fn bytes_with_nuls_are_not_text() {
        assert_eq!(decode(b"\x7fELF\x00\x00".to_vec(), None), Err(NotText));
        assert_eq!(decode(b"\xff\x00\x01".to_vec(), None), Err(NotText));
    }

    #[test]
    fn a_declared_encoding_is_believed_where_it_fits() {
        let decoded = decode(b"caf\xe9".to_vec(), Some("iso-8859-1")).unwrap();
        assert_eq!(
            (decoded.text.as_str(), decoded.warning),
            ("caf\u{e9}", None)
        );
    }
}
