//! The reference of blocks and attributes, as the book prints it: made from
//! [`schema`](crate::lang::schema), so that it can't say anything else.

use std::fmt::Write;

use crate::lang::schema;
use crate::lang::schema::{AttributeSchema, BlockSchema, Labels, STEP_ATTRIBUTES, Ty};
use crate::model::StepKind;

/// The page `book/src/reference/language.md`.
pub fn markdown() -> String {
    let mut out = String::from(
        "# The language\n\n\
         <!-- Made by `orthid schema -format markdown`; a test compares. -->\n\n\
         A plan is one `.hcl` file, or a folder whose `.hcl` files are merged. Its syntax is HCL's, its habits are Terraform's. \
         [Order and safety](../concepts/order.md) says what runs when.\n\n\
         ## Blocks\n\n| block | for |\n|---|---|\n",
    );
    for block in schema::FILE.blocks {
        line(&mut out, &format!("| [`{0}`](#{0}) | {1} |", block.name, block.doc));
    }
    line(
        &mut out,
        "\n## Every step\n\nSteps are the blocks from `backup` to `checkpoint`. All of them take:\n",
    );
    attributes(&mut out, STEP_ATTRIBUTES.iter());
    for block in schema::FILE.blocks {
        line(&mut out, &format!("\n## `{}`\n\n{}\n", block.name, block.doc));
        line(&mut out, &format!("```hcl\n{} {{\n  …\n}}\n```\n", heading(block)));
        body(&mut out, block, "");
        outputs(&mut out, block);
    }
    let end = out.trim_end().len();
    out.truncate(end);
    out.push('\n');
    out
}

fn line(out: &mut String, text: &str) {
    // Writing to a String does not fail.
    let _ = writeln!(out, "{text}");
}

fn heading(block: &BlockSchema) -> String {
    match block.labels {
        Labels::None => block.name.to_owned(),
        Labels::Name => format!("{} \"NAME\"", block.name),
        Labels::Version => format!("{} \"VERSION\"", block.name),
        Labels::Optional => format!("{} [\"NAME\"]", block.name),
    }
}

/// Attributes, then the blocks inside with theirs. `path` leads to the block, for headings.
fn body(out: &mut String, block: &BlockSchema, path: &str) {
    attributes(out, block.attributes.iter());
    if let Some(ty) = block.open {
        line(out, &format!("Attributes of any name: {}.\n", described(ty)));
    }
    for inner in block.blocks {
        let inside = format!("{path}{} → ", block.name);
        let how_many = match (inner.required, inner.many) {
            (true, true) => "one or more",
            (true, false) => "one",
            (false, true) => "any number",
            (false, false) => "one or none",
        };
        line(out, &format!("### {inside}`{}`\n\n{} ({how_many})\n", heading(inner), inner.doc));
        body(out, inner, &inside);
    }
}

fn attributes<'a>(out: &mut String, attributes: impl Iterator<Item = &'a AttributeSchema>) {
    let mut attributes = attributes.peekable();
    if attributes.peek().is_none() {
        return;
    }
    line(out, "| attribute | type | |\n|---|---|---|");
    for AttributeSchema { name, ty, required, doc } in attributes {
        let needed = if *required { "**required** " } else { "" };
        line(out, &format!("| `{name}` | {} | {needed}{doc} |", described(*ty)));
    }
    line(out, "");
}

fn outputs(out: &mut String, block: &BlockSchema) {
    let Ok(kind) = block.name.parse::<StepKind>() else { return };
    match kind.output_names() {
        Some(names) => {
            let names: Vec<String> = names.map(|name| format!("`{kind}.NAME.{name}`")).collect();
            if !names.is_empty() {
                line(out, &format!("Outputs, known after apply: {}.\n", names.join(", ")));
            }
        }
        None => line(
            out,
            &format!(
                "Outputs, known after apply: the last line of its stdout that is a JSON object, as `{kind}.NAME.KEY`.\n"
            ),
        ),
    }
}

fn described(ty: Ty) -> String {
    match ty {
        Ty::Text => "text".to_owned(),
        Ty::Argument => "text, may be known only after apply".to_owned(),
        Ty::Bool => "`true` or `false`".to_owned(),
        Ty::Number => "number".to_owned(),
        Ty::Duration => "duration: `\"10m\"`".to_owned(),
        Ty::Version => "version: `\"2.7.1\"`".to_owned(),
        Ty::VersionRange => "versions: `\">= 2.6.0, < 2.7.0\"`".to_owned(),
        Ty::Texts => "list of texts".to_owned(),
        Ty::Arguments => "list of texts, may be known only after apply".to_owned(),
        Ty::Numbers => "list of numbers".to_owned(),
        Ty::ArgumentMap => "map of texts, may be known only after apply".to_owned(),
        Ty::TextMap => "map of texts".to_owned(),
        Ty::NumberOrNumbers => "number, or list of numbers".to_owned(),
        Ty::Any => "anything".to_owned(),
        Ty::Steps => "list of steps: `[backup.before]`".to_owned(),
        Ty::BackupId => "`backup.NAME.id`".to_owned(),
        Ty::VerifiedId => "`verify.NAME.id`".to_owned(),
        Ty::Database => "`database.NAME`".to_owned(),
        Ty::ForEach => "map, or set of texts".to_owned(),
        Ty::TypeConstraint => "type: `list(string)`".to_owned(),
        Ty::Condition => "condition".to_owned(),
        Ty::OneOf(words) => {
            words.iter().map(|word| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", ")
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_block_and_attribute_is_there() {
        let page = super::markdown();
        for block in super::schema::FILE.blocks {
            assert!(page.contains(&format!("\n## `{}`\n", block.name)), "{}", block.name);
            for attribute in block.attributes {
                assert!(page.contains(&format!("| `{}` |", attribute.name)), "{}", attribute.name);
            }
        }
    }
}
