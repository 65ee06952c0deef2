//! The typefaces of printed notices: how wide text is, and where lines break.

use krilla::text::{Font, GlyphId, KrillaGlyph};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

const REGULAR: &[u8] = include_bytes!("../../assets/roboto/Roboto-Regular.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/roboto/Roboto-Bold.ttf");

/// One weight of the typeface.
pub(super) struct Face {
    pub(super) font: Font,
    outlines: FontRef<'static>,
}

impl Face {
    pub(super) fn regular() -> anyhow::Result<Self> {
        Self::new(REGULAR)
    }

    pub(super) fn bold() -> anyhow::Result<Self> {
        Self::new(BOLD)
    }

    fn new(bytes: &'static [u8]) -> anyhow::Result<Self> {
        let outlines = FontRef::new(bytes)?;
        let font = Font::new(bytes.into(), 0)
            .ok_or_else(|| anyhow::anyhow!("the typeface cannot be read"))?;
        Ok(Self { font, outlines })
    }

    /// The text with each character that the typeface lacks as its code point, so that nothing is lost.
    pub(super) fn printable(&self, text: &str) -> String {
        let characters = self.outlines.charmap();
        let shown = |character: char| match characters.map(character) {
            Some(_) => character.to_string(),
            None => format!("[U+{:04X}]", u32::from(character)),
        };
        text.chars().map(shown).collect()
    }

    /// The glyphs of a printable text, with widths as parts of the type size.
    pub(super) fn glyphs(&self, text: &str) -> Vec<KrillaGlyph> {
        let characters = self.outlines.charmap();
        let widths = self
            .outlines
            .glyph_metrics(Size::unscaled(), LocationRef::default());
        let units = self.font.units_per_em();
        let glyph = |(place, character): (usize, char)| {
            let id = characters.map(character).unwrap_or_default();
            let advance = widths.advance_width(id).unwrap_or_default() / units;
            let range = place..place + character.len_utf8();
            KrillaGlyph::new(
                GlyphId::new(id.to_u32()),
                advance,
                0.0,
                0.0,
                0.0,
                range,
                None,
            )
        };
        text.char_indices().map(glyph).collect()
    }

    /// Breaks a printable text into lines no wider than `width` at a type size, at spaces where there are any. Each
    /// line but the last keeps its space, so that words stay apart for those who copy or listen.
    pub(super) fn lines(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let mut lines = Vec::new();
        let mut line = String::new();
        for word in text.split_inclusive(' ') {
            if !line.is_empty()
                && self.width(&line, size) + self.width(word.trim_end(), size) > width
            {
                lines.push(std::mem::take(&mut line));
            }
            for character in word.chars() {
                if !line.is_empty()
                    && character != ' '
                    && self.width(&line, size) + size > width
                    && self.width(word.trim_end(), size) > width
                {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(character);
            }
        }
        lines.push(line);
        lines
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        self.glyphs(text)
            .iter()
            .map(|glyph| glyph.x_advance * size)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_hold_every_character_and_stay_within_the_width() {
        let face = Face::regular().unwrap();
        let long = "Delinquent past or present credit obligations with others ".repeat(9);
        let unbroken = "x".repeat(300);
        for text in [long.as_str(), &unbroken, "short", ""] {
            let lines = face.lines(text, 11.0, 200.0);
            assert_eq!(lines.concat(), text);
            assert!(
                lines
                    .iter()
                    .all(|line| face.width(line.trim_end(), 11.0) <= 200.0),
                "{lines:?}"
            );
        }
    }

    #[test]
    fn characters_without_a_glyph_are_spelled_out() {
        let face = Face::bold().unwrap();
        assert_eq!(face.printable("Müller – A"), "Müller – A");
        assert_eq!(face.printable("A\u{4e2d}"), "A[U+4E2D]");
    }
}
