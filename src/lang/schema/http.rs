//! The blocks of HTTP requests, in smoke tests and probes.

use crate::lang::schema::rows::{BLOCK, optional, required};
use crate::lang::schema::{AttributeSchema, BlockSchema, Labels, Ty};

const JWT: BlockSchema = BlockSchema {
    name: "jwt",
    doc: "A token of the answer that must verify.",
    attributes: &[
        required("pointer", Ty::Text, "JSON pointer of the token in the answer."),
        required("jwks_url", Ty::Argument, "Where the keys are."),
    ],
    ..BLOCK
};

const EXPECT: BlockSchema = BlockSchema {
    name: "expect",
    doc: "What the answer must be.",
    attributes: &[
        optional("status", Ty::NumberOrNumbers, "Accepted status codes; any 2xx by default."),
        optional("headers", Ty::TextMap, "Headers with their values."),
        optional("json", Ty::Any, "JSON pointers with the values that must be there."),
        optional("latency", Ty::Duration, "The longest time to the answer."),
    ],
    blocks: &[&JWT],
    ..BLOCK
};

const CAPTURE: BlockSchema = BlockSchema {
    name: "capture",
    doc: "Values of the answer for later requests: `name = \"/json/pointer\"`, used as `capture.name`.",
    open: Some(Ty::Text),
    ..BLOCK
};

const REQUEST_ATTRIBUTES: &[AttributeSchema] = &[
    optional("method", Ty::Text, "`GET` by default, `POST` with a body."),
    required("url", Ty::Argument, "Where to."),
    optional("headers", Ty::ArgumentMap, "Headers to send."),
    optional("body", Ty::Argument, "The body as text."),
    optional("json", Ty::Any, "The body as a value, sent as JSON."),
    optional("timeout", Ty::Duration, "Default `10s`."),
];

pub(super) const REQUEST: BlockSchema = BlockSchema {
    name: "request",
    doc: "One HTTP request with what is expected of its answer.",
    labels: Labels::Name,
    attributes: REQUEST_ATTRIBUTES,
    blocks: &[&EXPECT, &CAPTURE],
    many: true,
    required: true,
    ..BLOCK
};

pub(super) const PROBE_BEFORE: BlockSchema = BlockSchema {
    name: "before",
    doc: "A request that is made once before probing starts.",
    labels: Labels::Name,
    attributes: REQUEST_ATTRIBUTES,
    blocks: &[&EXPECT, &CAPTURE],
    many: true,
    ..BLOCK
};

pub(super) const PROBE_REQUEST: BlockSchema = BlockSchema {
    name: "request",
    doc: "The request that is repeated.",
    labels: Labels::Optional,
    attributes: REQUEST_ATTRIBUTES,
    blocks: &[&EXPECT],
    required: true,
    ..BLOCK
};
