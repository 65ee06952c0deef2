//! The notice as a PDF file: text that can be searched and copied, tagged for screen readers. The exporter refuses a
//! file that breaks PDF/UA-1. The same notice gives the same bytes.

use std::num::NonZeroU16;

use anyhow::Context as _;
use krilla::configure::{Accessibility, ConfigurationBuilder};
use krilla::destination::XyzDestination;
use krilla::geom::Point;
use krilla::metadata::Metadata;
use krilla::outline::{Outline, OutlineNode};
use krilla::page::PageSettings;
use krilla::surface::Surface;
use krilla::tagging::{ContentTag, ListNumbering, Node, SpanTag, Tag, TagGroup, TagTree};
use krilla::{Document, SerializeSettings};

use super::font::Face;
use super::{REASONS, RIGHTS, TITLE};
use crate::app::notice::Notice;

const LANGUAGE: &str = "en-US";
/// US letter, in points.
const PAGE: (f32, f32) = (612.0, 792.0);
const MARGIN: f32 = 72.0;
const BODY: f32 = 11.0;
const LINE: f32 = 1.4;
/// Where the text of a reason begins, right of its number.
const INDENT: f32 = 20.0;

/// How a block is set.
#[derive(Clone, Copy)]
struct Type {
    /// In points.
    size: f32,
    is_bold: bool,
    /// From the left margin, in points.
    indent: f32,
}

const BODY_TYPE: Type = Type {
    size: BODY,
    is_bold: false,
    indent: 0.0,
};
const STRONG_TYPE: Type = Type {
    is_bold: true,
    ..BODY_TYPE
};
const TITLE_TYPE: Type = Type {
    size: 20.0,
    ..STRONG_TYPE
};
const HEADING_TYPE: Type = Type {
    size: 13.0,
    ..STRONG_TYPE
};
const REASON_TYPE: Type = Type {
    indent: INDENT,
    ..BODY_TYPE
};

/// What stands in the notice, in reading order.
enum Block<'a> {
    Title(&'a str),
    Heading(&'a str),
    Paragraph(String),
    Strong(&'a str),
    Reasons(Vec<&'a str>),
}

pub(super) fn file(notice: &Notice) -> anyhow::Result<Vec<u8>> {
    let configuration = ConfigurationBuilder::new()
        .with_accessibility_validator(Accessibility::UA1)
        .finish()
        .map_err(|error| anyhow::anyhow!("the configuration of the document: {error:?}"))?;
    let settings = SerializeSettings {
        configuration,
        ..SerializeSettings::default()
    };
    let mut document = Document::new_with(settings);
    let metadata = Metadata::new()
        .title(format!("{TITLE}, {}", notice.action_date))
        .language(LANGUAGE.to_owned())
        .authors(vec![notice.creditor_name.clone()]);
    document.set_metadata(metadata);
    let sheet = Sheet {
        regular: Face::regular()?,
        bold: Face::bold()?,
        page: 0,
        y: MARGIN,
    };
    sheet.print(&mut document, &blocks(notice))?;
    document
        .finish()
        .map_err(|error| anyhow::anyhow!("the document: {error:?}"))
}

fn blocks(notice: &Notice) -> Vec<Block<'_>> {
    vec![
        Block::Strong(&notice.creditor_name),
        Block::Paragraph(notice.creditor_address.clone()),
        Block::Title(TITLE),
        Block::Paragraph(format!("Date: {}", notice.action_date)),
        Block::Paragraph(format!("Application: {}", notice.application_id)),
        Block::Paragraph(format!("Decision: {}", notice.decision_id)),
        Block::Heading(REASONS),
        Block::Paragraph(notice.statement.clone()),
        Block::Reasons(
            notice
                .reasons
                .iter()
                .map(|reason| reason.text.as_str())
                .collect(),
        ),
        Block::Heading(RIGHTS),
        Block::Paragraph(notice.ecoa_notice.clone()),
    ]
}

/// One line of text with its place on the paper and its part in the structure.
struct Line {
    page: usize,
    at: Point,
    text: String,
    style: Type,
}

/// An element of the structure with its lines.
struct Element {
    tag: Role,
    lines: Vec<Line>,
}

#[derive(Clone, Copy, PartialEq)]
enum Role {
    Heading(u16),
    Paragraph,
    Number,
    Reason,
}

/// The paper: how far it is written, and with what.
struct Sheet {
    regular: Face,
    bold: Face,
    page: usize,
    y: f32,
}

impl Sheet {
    fn print(mut self, document: &mut Document, blocks: &[Block<'_>]) -> anyhow::Result<()> {
        let elements: Vec<Element> = blocks
            .iter()
            .flat_map(|block| self.lay_out(block))
            .collect();
        let mut outline = Outline::new();
        let heading = |element: &&Element| matches!(element.tag, Role::Heading(_));
        for element in elements.iter().filter(heading) {
            let Some(first) = element.lines.first() else {
                continue;
            };
            let text = element
                .lines
                .iter()
                .map(|line| line.text.as_str())
                .collect();
            let place = XyzDestination::new(
                first.page,
                Point::from_xy(first.at.x, first.at.y - first.style.size),
            );
            outline.push_child(OutlineNode::new(text, place));
        }
        document.set_outline(outline);
        let groups = self.draw(document, &elements)?;
        document.set_tag_tree(tree(&elements, groups)?);
        Ok(())
    }

    fn lay_out(&mut self, block: &Block<'_>) -> Vec<Element> {
        match block {
            Block::Title(text) => {
                self.y += BODY;
                vec![self.element(Role::Heading(1), text, TITLE_TYPE)]
            }
            Block::Heading(text) => {
                self.y += BODY;
                vec![self.element(Role::Heading(2), text, HEADING_TYPE)]
            }
            Block::Strong(text) => vec![self.element(Role::Paragraph, text, STRONG_TYPE)],
            Block::Paragraph(text) => vec![self.element(Role::Paragraph, text, BODY_TYPE)],
            Block::Reasons(reasons) => {
                let mut elements = Vec::with_capacity(reasons.len() * 2);
                for (number, reason) in (1..).zip(reasons) {
                    let top = (self.page, self.y);
                    elements.push(self.element(Role::Number, &format!("{number}. "), BODY_TYPE));
                    // The reason stands beside its number, unless the number was the last line of its page.
                    (self.page, self.y) = top;
                    elements.push(self.element(Role::Reason, reason, REASON_TYPE));
                }
                elements
            }
        }
    }

    fn element(&mut self, tag: Role, text: &str, style: Type) -> Element {
        let Type {
            size,
            is_bold,
            indent,
        } = style;
        let face = if is_bold { &self.bold } else { &self.regular };
        let width = PAGE.0 - 2.0 * MARGIN - indent;
        let texts = face.lines(&face.printable(text), size, width);
        let lines = texts.into_iter().map(|text| {
            if self.y + size * LINE > PAGE.1 - MARGIN {
                (self.page, self.y) = (self.page + 1, MARGIN);
            }
            self.y += size * LINE;
            let at = Point::from_xy(MARGIN + indent, self.y);
            Line {
                page: self.page,
                at,
                text,
                style,
            }
        });
        let lines = lines.collect();
        self.y += BODY * 0.3;
        Element { tag, lines }
    }

    /// Draws page by page, and gives the marked pieces of each element.
    fn draw(
        &self,
        document: &mut Document,
        elements: &[Element],
    ) -> anyhow::Result<Vec<Vec<Node>>> {
        let mut pieces: Vec<Vec<Node>> = elements.iter().map(|_| Vec::new()).collect();
        for number in 0..=self.page {
            let settings =
                PageSettings::from_wh(PAGE.0, PAGE.1).context("the size of the paper")?;
            let mut page = document.start_page_with(settings);
            let mut surface = page.surface();
            for (element, pieces) in elements.iter().zip(&mut pieces) {
                for line in element.lines.iter().filter(|line| line.page == number) {
                    pieces.push(self.write(&mut surface, line));
                }
            }
            surface.finish();
            page.finish();
        }
        Ok(pieces)
    }

    fn write(&self, surface: &mut Surface<'_>, line: &Line) -> Node {
        let face = if line.style.is_bold {
            &self.bold
        } else {
            &self.regular
        };
        let piece = surface.start_tagged(ContentTag::Span(SpanTag::empty()));
        let glyphs = face.glyphs(&line.text);
        surface.draw_glyphs(
            line.at,
            &glyphs,
            face.font.clone(),
            &line.text,
            line.style.size,
            false,
        );
        surface.end_tagged();
        piece.into()
    }
}

/// The structure: headings and paragraphs as they come, and each run of numbers and reasons as one list.
fn tree(elements: &[Element], pieces: Vec<Vec<Node>>) -> anyhow::Result<TagTree> {
    let mut tree = TagTree::new().with_lang(Some(LANGUAGE.to_owned()));
    let mut list: Option<TagGroup> = None;
    let mut item: Option<TagGroup> = None;
    for (element, pieces) in elements.iter().zip(pieces) {
        if !matches!(element.tag, Role::Number | Role::Reason)
            && let Some(list) = list.take()
        {
            tree.push(list);
        }
        match element.tag {
            Role::Heading(level) => {
                let level = NonZeroU16::new(level).context("the level of a heading")?;
                let title = element
                    .lines
                    .iter()
                    .map(|line| line.text.as_str())
                    .collect();
                tree.push(TagGroup::with_children(Tag::Hn(level, Some(title)), pieces));
            }
            Role::Paragraph => tree.push(TagGroup::with_children(Tag::P, pieces)),
            Role::Number => {
                let mut entry = TagGroup::new(Tag::LI);
                entry.push(TagGroup::with_children(Tag::Lbl, pieces));
                item = Some(entry);
            }
            Role::Reason => {
                let mut entry = item.take().context("the number of a reason")?;
                entry.push(TagGroup::with_children(Tag::LBody, pieces));
                let list =
                    list.get_or_insert_with(|| TagGroup::new(Tag::L(ListNumbering::Decimal)));
                list.push(entry);
            }
        }
    }
    if let Some(list) = list {
        tree.push(list);
    }
    Ok(tree)
}
