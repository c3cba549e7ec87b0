//! Layout by example, and its laws on random texts: nothing but blanks changes, and doing it twice
//! is doing it once.

use std::fmt::Write;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::format;
use crate::lang::{Source, syntax};

fn formatted(text: &str) -> String {
    format(&Source::new("plan.hcl", text)).unwrap_or_else(|errors| panic!("{errors}\n{text}"))
}

fn check(text: &str, expected: Expect) {
    let once = formatted(text);
    expected.assert_eq(&once);
    assert_eq!(formatted(&once), once, "formatting twice is formatting once");
}

#[test]
fn attributes_line_up_and_blocks_indent() {
    check(
        "release   \"orthid\"{\nnamespace=\"orthid\"\n   chart = \"a/b\" # where from\n\n\n  values{\npolicy=\"reuse\"\n      files = [\n\"a\",\n\"b\",\n]\n}\n}\n\n\n",
        expect![[r#"
            release "orthid" {
              namespace = "orthid"
              chart     = "a/b" # where from

              values {
                policy = "reuse"
                files = [
                  "a",
                  "b",
                ]
              }
            }
        "#]],
    );
}

#[test]
fn comments_stay_where_they_are() {
    check(
        "\n\n# first\n//second\nlocals {   # opens\na=1   # one\nlonger = 2# two\n  /* block\n   of text */\nb = 3 /* three */\n      # last\n}\n# end",
        expect![[r#"
            # first
            //second
            locals { # opens
              a      = 1 # one
              longer = 2 # two
              /* block
               of text */
              b = 3 /* three */
              # last
            }
            # end
        "#]],
    );
}

#[test]
fn expressions_are_spaced_once() {
    check(
        "locals {\na=1+-2*( 3-x )\nb=!y&&z!=1\nc=[1,2 ,3]\nd={a=1,b :2}\ne=[for k,v in m:k if v>0]\nf={for k,v in m:k=>v...}\ng=f( a , b... )[ 0 ].c.*.d[ * ]\nh=p?q:r\ni=x - y\nj = -x\nk = [ -1, - 2 ]\nl = {}\nm = [ for x in [1] : -x ]\n}\n",
        expect![[r#"
            locals {
              a = 1 + -2 * (3 - x)
              b = !y && z != 1
              c = [1, 2, 3]
              d = { a = 1, b: 2 }
              e = [for k, v in m : k if v > 0]
              f = { for k, v in m : k => v... }
              g = f(a, b...)[0].c.*.d[*]
              h = p ? q : r
              i = x - y
              j = -x
              k = [-1, -2]
              l = {}
              m = [for x in [1] : -x]
            }
        "#]],
    );
}

#[test]
fn templates_and_heredocs_are_kept_to_the_byte() {
    check(
        "locals {\na=\"x  ${ \"}\" }  ${ {b=1}.b }  $${ %%{\"\nlong=<<-END\n    a   ${ b }\n  b\n  END\nc=<<X\n}\nX\nd=upper(<<Y\n  text\nY\n)\n}\n",
        expect![[r#"
            locals {
              a    = "x  ${ "}" }  ${ {b=1}.b }  $${ %%{"
              long = <<-END
                a   ${ b }
              b
              END
              c    = <<X
            }
            X
              d = upper(<<Y
              text
            Y
              )
            }
        "#]],
    );
}

#[test]
fn brackets_that_close_together_open_together() {
    check(
        "smoke \"s\" {\nrequests=[{\nname=\"a\"\n},{\nname=\"b\"\n}]\nwhen = f(1,\n2,\ng(\n3\n))\n}\n",
        expect![[r#"
            smoke "s" {
              requests = [{
                name = "a"
              }, {
                name = "b"
              }]
              when = f(1,
                2,
                g(
                  3
              ))
            }
        "#]],
    );
}

#[test]
fn line_ends_become_one_kind() {
    check(
        "a = 1\r\n\r\n\r\nbcd = 2   \r\n",
        expect![[r#"
        a = 1

        bcd = 2
    "#]],
    );
    check("", expect![""]);
    check("\n\n  \n", expect![""]);
}

#[test]
fn what_cannot_be_read_is_left_alone() {
    let errors = format(&Source::new("plan.hcl", "a = [1,\nb = \n")).unwrap_err();
    assert!(errors.has_errors());
}

/// The tree without places.
fn meaning(text: &str) -> String {
    let (body, found) = syntax::parse_body(&Source::new("plan.hcl", text), 0);
    assert!(found.is_empty(), "{found:?}\n{text}");
    let spans = regex::Regex::new(r"Span \{[^}]*\}").unwrap();
    spans.replace_all(&format!("{body:?}"), "").into_owned()
}

fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,8}(-[a-z])?"
        .prop_filter("a word", |name| !matches!(name.as_str(), "for" | "in" | "if" | "null"))
}

/// Blanks as people leave them, inside a line.
fn blank() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(" ".to_owned()), 1 => Just(String::new()), 1 => " {2,4}", 1 => Just("\t".into()), 1 => Just(" /* c */ ".into())]
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        name(),
        "[0-9]{1,3}(\\.[0-9]{1,2})?(e[0-9])?",
        "\"[a-z #/{}=]{0,10}\"",
        name().prop_map(|name| format!("\"x  ${{{name} }} y\"")),
        name().prop_map(|name| format!("\"%{{ if {name} }}a%{{ else }}  b%{{ endif }}\"")),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(4, 40, 4, |inner| {
        let operator = prop::sample::select(vec!["+", "-", "*", "/", "==", "!=", "<", "&&", "||"]);
        prop_oneof![
            (inner.clone(), blank(), operator, blank(), inner.clone())
                .prop_map(|(a, s, op, t, b)| format!("({a} {s}{op}{t} {b})")),
            (inner.clone(), blank()).prop_map(|(a, s)| format!("-{s}({a})")),
            (inner.clone(), blank()).prop_map(|(a, s)| format!("!{s}({a})")),
            (inner.clone(), inner.clone(), inner.clone(), blank())
                .prop_map(|(a, b, c, s)| format!("({a}{s}?{s}{b} :{s}{c})")),
            (prop::collection::vec(inner.clone(), 0..4), blank())
                .prop_map(|(items, s)| format!("[{s}{}{s}]", items.join(&format!("{s},{s}")))),
            (prop::collection::vec((name(), inner.clone()), 0..3), blank(), any::<bool>())
                .prop_map(|(items, s, lines)| {
                    let items: Vec<_> =
                        items.iter().map(|(k, v)| format!("{k}{s}={s}{v}")).collect();
                    let separator = if lines { "\n" } else { "," };
                    format!("{{{s}{}{s}}}", items.join(separator))
                }),
            (name(), prop::collection::vec(inner.clone(), 0..3), blank())
                .prop_map(|(f, items, s)| format!("{f}({s}{})", items.join(&format!(",\n{s}")))),
            (name(), inner.clone(), blank()).prop_map(|(a, b, s)| format!("{a}[{s}{b}{s}].c")),
            (name(), inner.clone(), inner.clone(), blank())
                .prop_map(|(x, a, b, s)| format!("[for {x} in{s} {a} :{s}{b} if{s} {x}]")),
            (name(), inner.clone(), inner, blank())
                .prop_map(|(x, a, b, s)| format!("{{for k,{x} in {a}:{s}k=>{b}...}}")),
        ]
    })
}

fn body(depth: u32) -> BoxedStrategy<String> {
    let trailing = prop_oneof![3 => Just(String::new()), 1 => Just("  # why".to_owned()), 1 => Just("// x".to_owned())];
    let attribute = (name(), blank(), expression(), trailing)
        .prop_map(|(name, s, value, comment)| format!("{name}{s}={s}{value}{comment}\n"));
    let heredoc = (name(), "[a-z $%]{0,8}").prop_map(|(name, text)| {
        format!("{name} = <<-END\n      {text} ${{ {name} }}\n    b\n\tEND\n")
    });
    let filler = prop_oneof![
        Just("\n".to_owned()),
        Just("\n\n\n".to_owned()),
        Just("   # a comment\n".to_owned()),
        Just("/* two\n   lines */\n".to_owned()),
    ];
    let item = if depth == 0 {
        prop_oneof![4 => attribute, 1 => heredoc, 2 => filler].boxed()
    } else {
        let block = (name(), name(), blank(), body(depth - 1))
            .prop_map(|(kind, label, s, body)| format!("{kind}{s}\"{label}\"{s}{{\n{body}}}\n"));
        prop_oneof![4 => attribute, 1 => heredoc, 2 => filler, 2 => block].boxed()
    };
    prop::collection::vec(item, 0..6)
        .prop_map(|items| {
            let mut text = String::new();
            for (n, item) in items.iter().enumerate() {
                // A name may stand only once in a body; a number keeps them apart.
                let is_code = item.starts_with(|c: char| c.is_ascii_lowercase());
                let _ = if is_code { write!(text, "n{n}{item}") } else { write!(text, "{item}") };
            }
            text
        })
        .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_meaning_stays_and_twice_is_once(text in body(2)) {
        let once = formatted(&text);
        prop_assert_eq!(meaning(&once), meaning(&text));
        prop_assert_eq!(formatted(&once), once);
    }

    #[test]
    fn any_text_is_formatted_or_refused(text in "[a-z{}\\[\\]()\"$%=<>\\-!#/*\n .,:?0-9]{0,60}") {
        if let Ok(once) = format(&Source::new("plan.hcl", text)) {
            prop_assert_eq!(formatted(&once), once);
        }
    }
}
