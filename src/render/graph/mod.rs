//! Drawings of a step graph: DOT, Mermaid, SVG.
//!
//! Every drawing shows the same picture: steps, what waits for what, which probes run beside what,
//! and the rollback edges. Must not: print, or let text of the plan become markup.

mod dot;
mod layout;
mod mermaid;
mod picture;
mod svg;

use picture::Picture;

use crate::graph::StepGraph;
use crate::model::Hop;

/// A language that drawings are made in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Dot,
    Mermaid,
    Svg,
}

/// Draws the graph. `hops` name the moves of the path; a hop that it does not know goes by its
/// number.
pub fn draw(graph: &StepGraph, hops: &[Hop], format: Format) -> String {
    let picture = Picture::of(graph, hops);
    match format {
        Format::Dot => dot::draw(&picture),
        Format::Mermaid => mermaid::draw(&picture),
        Format::Svg => svg::draw(&picture),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    use super::*;
    use crate::graph::fixture::build;

    const UPGRADE: &str = "
        backup.before
        verify.before < backup.before
        migrate.schema < verify.before ~ verify.before
        roll.app ~
        probe.tokens | migrate.schema, roll.app
        smoke.sign_in
    ";

    #[test]
    fn an_upgrade_in_every_format() {
        let graph = build(UPGRADE).unwrap();
        expect_file!["./snapshots/upgrade.dot"].assert_eq(&draw(&graph, &[], Format::Dot));
        expect_file!["./snapshots/upgrade.mmd"].assert_eq(&draw(&graph, &[], Format::Mermaid));
        expect_file!["./snapshots/upgrade.svg"].assert_eq(&draw(&graph, &[], Format::Svg));
    }

    #[test]
    fn hops_are_told_apart() {
        let graph = build("roll.app@0\nsmoke.s@0\nroll.app@1\nsmoke.s@1").unwrap();
        let version = |text: &str| semver::Version::parse(text).unwrap();
        let hops = [
            Hop::new(0, version("2.5.0"), version("2.6.3")),
            Hop::new(1, version("2.6.3"), version("2.7.1")),
        ];
        for format in [Format::Dot, Format::Mermaid, Format::Svg] {
            let drawing = draw(&graph, &hops, format);
            assert!(drawing.contains("2.6.3 → 2.7.1 (minor)"), "{drawing}");
        }
    }

    #[test]
    fn text_of_the_plan_never_becomes_markup() {
        let mut graph = build("run.a\nrun.b < run.a").unwrap().into_steps();
        let hostile =
            "\"]; evil -> x; --> <script>alert(1)</script> &amp; \u{1b}[31m #quot; `x` \\";
        graph[0].address.keys = vec![hostile.to_owned()];
        graph[0].description = Some(hostile.to_owned());
        graph[1].depends_on = vec![graph[0].address.clone()];
        let graph = StepGraph::from_steps(graph).unwrap();
        expect_file!["./snapshots/hostile.dot"].assert_eq(&draw(&graph, &[], Format::Dot));
        expect_file!["./snapshots/hostile.mmd"].assert_eq(&draw(&graph, &[], Format::Mermaid));
        let svg = draw(&graph, &[], Format::Svg);
        assert!(!svg.contains("<script") && !svg.contains('\u{1b}'), "{svg}");
        well_formed(&svg);
    }

    /// Every element is closed in turn, attributes are quoted, and text has no bare `&`.
    fn well_formed(svg: &str) {
        let tag = regex::Regex::new(r#"^<(/?)([a-z]+)((?: [A-Za-z:-]+="[^"<]*")*)(/?)>"#).unwrap();
        let entity = regex::Regex::new("^&(amp|lt|gt|quot|#39);").unwrap();
        let (mut open, mut rest, mut roots) = (Vec::new(), svg, 0);
        while let Some(at) = rest.find(['<', '&', '>']) {
            rest = &rest[at..];
            if let Some(found) = tag.captures(rest) {
                let (closes, name, empty) =
                    (&found[1] == "/", found[2].to_owned(), &found[4] == "/");
                roots += usize::from(open.is_empty());
                match (closes, empty) {
                    (true, _) => assert_eq!(open.pop(), Some(name)),
                    (false, true) => {}
                    (false, false) => open.push(name),
                }
                rest = &rest[found[0].len()..];
            } else {
                assert!(entity.is_match(rest), "neither a tag nor an entity: {rest:.60}");
                rest = &rest[1..];
            }
        }
        assert_eq!((open.len(), roots), (0, 1), "one element holds all: {open:?}");
    }

    #[test]
    fn a_picture_is_well_formed() {
        for text in [UPGRADE, "run.a", "roll.app@0\nsmoke.s@0\nroll.app@1\nsmoke.s@1"] {
            well_formed(&draw(&build(text).unwrap(), &[], Format::Svg));
        }
    }

    #[test]
    fn a_large_graph_is_drawn_in_time() {
        let text: String = (0..4_000)
            .map(|i| match i / 10 {
                0 => format!("run.s{i}\n"),
                layer => {
                    let before = (0..10).map(|k| format!("run.s{}", (layer - 1) * 10 + k));
                    format!("run.s{i} < {}\n", before.collect::<Vec<_>>().join(", "))
                }
            })
            .collect();
        let graph = build(&text).unwrap();
        for format in [Format::Dot, Format::Mermaid, Format::Svg] {
            let begun = std::time::Instant::now();
            assert!(draw(&graph, &[], format).contains("run.s3999"));
            let took = begun.elapsed();
            assert!(took.as_secs() < 10, "{format:?} took {took:?}, unoptimised");
        }
    }
}
