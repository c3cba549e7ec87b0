//! Every block there is: its attributes, its inner blocks, and a line of documentation on each.

use crate::lang::schema::http::{PROBE_BEFORE, PROBE_REQUEST, REQUEST};
use crate::lang::schema::rows::{BLOCK, optional, required};
use crate::lang::schema::{AttributeSchema, BlockSchema, Labels, Ty};

/// Attributes that every step takes.
pub const STEP_ATTRIBUTES: &[AttributeSchema] = &[
    optional(
        "depends_on",
        Ty::Steps,
        "Steps that must have finished before. A step that gives it takes no part in the order by phases.",
    ),
    optional("when", Ty::Condition, "Where false, the step is left out."),
    optional(
        "for_each",
        Ty::ForEach,
        "One instance for each entry, with `each.key` and `each.value`.",
    ),
    optional(
        "timeout",
        Ty::Duration,
        "Bound on one attempt. For `roll` it is Helm's, which counts for each of Helm's phases.",
    ),
    optional(
        "on_failure",
        Ty::OneOf(&["rollback", "stop", "continue"]),
        "What a failure does to the run: `rollback` (default), `stop` or `continue`.",
    ),
    optional("description", Ty::Text, "What people read."),
    optional("hops", Ty::OneOf(&["first", "last"]), "Only in the first or the last hop of a path."),
];

const RETRY: BlockSchema = BlockSchema {
    name: "retry",
    doc: "How transient failures are repeated, with growing delays.",
    attributes: &[
        optional("attempts", Ty::Number, "Attempts in all, the first included. Default 5."),
        optional("delay", Ty::Duration, "Before the second attempt. Default `1s`."),
        optional("max_delay", Ty::Duration, "The longest delay. Default `30s`."),
    ],
    ..BLOCK
};

const ROLLBACK: BlockSchema =
    BlockSchema { name: "rollback", doc: "The step is undone when the run unwinds.", ..BLOCK };

const MIGRATE_ROLLBACK: BlockSchema = BlockSchema {
    name: "rollback",
    doc: "The step is undone when the run unwinds.",
    attributes: &[optional(
        "restore",
        Ty::VerifiedId,
        "The verified backup that undoing restores.",
    )],
    ..BLOCK
};

const BUDGET: BlockSchema = BlockSchema {
    name: "budget",
    doc: "What may go wrong before the probe fails.",
    attributes: &[
        optional("failures", Ty::Number, "Failed requests. Default 0."),
        optional("gap", Ty::Duration, "The longest time without a success."),
    ],
    ..BLOCK
};

const VALIDATION: BlockSchema = BlockSchema {
    name: "validation",
    doc: "A rule that the variable's value must keep.",
    attributes: &[
        required("condition", Ty::Condition, "Must be true."),
        required("error_message", Ty::Text, "What is said where it is not."),
    ],
    many: true,
    ..BLOCK
};

const VALUES: BlockSchema = BlockSchema {
    name: "values",
    doc: "What becomes of the values of the installed release.",
    attributes: &[
        optional(
            "policy",
            Ty::OneOf(&["reuse", "reset_then_reuse", "reset"]),
            "`reuse` by default.",
        ),
        optional("files", Ty::Texts, "Values files in the plan's folder."),
        optional("set", Ty::ArgumentMap, "Single values by dotted path."),
    ],
    ..BLOCK
};

const GUIDE: BlockSchema = BlockSchema {
    name: "guide",
    doc: "An upgrade guide that was read.",
    labels: Labels::Version,
    attributes: &[required("sha256", Ty::Text, "SHA-256 of the guide's text.")],
    many: true,
    ..BLOCK
};

const RELAX: BlockSchema = BlockSchema {
    name: "relax",
    doc: "A safety rule that this plan breaks on purpose.",
    labels: Labels::Name,
    attributes: &[required("reason", Ty::Text, "Why; the plan prints it.")],
    many: true,
    ..BLOCK
};

/// Safety rules that a policy can relax.
pub const RULES: [&str; 4] =
    ["migrate_after_backup", "roll_after_migrate", "smoke_after_roll", "verified_restore"];

const STEP_BLOCKS: &[&BlockSchema] = &[&RETRY, &ROLLBACK];

/// A step of nothing, for `..STEP`.
const STEP: BlockSchema =
    BlockSchema { labels: Labels::Name, many: true, step: true, blocks: STEP_BLOCKS, ..BLOCK };

/// Blocks of a file.
pub static FILE: BlockSchema = BlockSchema {
    name: "plan",
    doc: "A plan is one file or a folder of them.",
    blocks: &[
        &BlockSchema {
            name: "upgrade",
            doc: "From where to where.",
            labels: Labels::Name,
            attributes: &[
                optional(
                    "from",
                    Ty::VersionRange,
                    "Installed versions that this plan was written for.",
                ),
                required("to", Ty::Version, "The target: exact."),
            ],
            ..BLOCK
        },
        &BlockSchema {
            name: "variable",
            doc: "A value from outside: `-var`, `-var-file` or `ORTHID_VAR_name`.",
            labels: Labels::Name,
            attributes: &[
                optional(
                    "type",
                    Ty::TypeConstraint,
                    "`string`, `number`, `bool`, `list(T)`, `set(T)`, `map(T)`, `object({…})` or `any`.",
                ),
                optional("default", Ty::Any, "The value where none is given."),
                optional("description", Ty::Text, "What people read."),
                optional(
                    "sensitive",
                    Ty::Bool,
                    "Read from `ORTHID_VAR_name` when a step needs it; never stored, never shown.",
                ),
                optional("nullable", Ty::Bool, "May it be null? Default true."),
            ],
            blocks: &[&VALIDATION],
            many: true,
            ..BLOCK
        },
        &BlockSchema {
            name: "locals",
            doc: "Names for expressions, used as `local.name`.",
            open: Some(Ty::Any),
            many: true,
            ..BLOCK
        },
        &BlockSchema {
            name: "release",
            doc: "The Helm release and where it lives.",
            labels: Labels::Name,
            attributes: &[
                optional("context", Ty::Text, "kubeconfig context; the current one by default."),
                required("namespace", Ty::Text, "Namespace."),
                required("chart", Ty::Text, "`repo/name`, `oci://…`, a local folder or a `.tgz`."),
                optional(
                    "repository",
                    Ty::Text,
                    "Chart repository URL; Helm's own configuration by default.",
                ),
                optional(
                    "workloads",
                    Ty::Texts,
                    "What must have rolled out: `deployment/NAME` or `statefulset/NAME`.",
                ),
                optional(
                    "version_of",
                    Ty::OneOf(&["chart", "app"]),
                    "Whose version the plan speaks of. Default `chart`.",
                ),
            ],
            blocks: &[&VALUES],
            ..BLOCK
        },
        &BlockSchema {
            name: "database",
            doc: "A PostgreSQL database behind the release.",
            labels: Labels::Name,
            attributes: &[required(
                "url",
                Ty::Argument,
                "Connection URL; secret: from `env()` or a sensitive variable.",
            )],
            many: true,
            ..BLOCK
        },
        &BlockSchema {
            name: "changelog",
            doc: "Where release entries come from, and which guides were read.",
            attributes: &[optional(
                "source",
                Ty::Text,
                "A `releases.yaml` in place of the charts' own: a file below the plan's folder, or an https URL.",
            )],
            blocks: &[&GUIDE],
            ..BLOCK
        },
        &BlockSchema {
            name: "policy",
            doc: "Safety rules that this plan relaxes.",
            blocks: &[&RELAX],
            ..BLOCK
        },
        &BlockSchema {
            name: "redact",
            doc: "What is secret in what planning observes, besides what orthid takes for it.",
            attributes: &[
                optional("names", Ty::Texts, "More names of fields that hold secrets."),
                optional(
                    "reveal",
                    Ty::Texts,
                    "Exact paths of fields that hold none: `values.auth.realmKey`, `ConfigMap/orthid.data.PUBLIC_KEY`.",
                ),
            ],
            ..BLOCK
        },
        &BlockSchema {
            name: "backup",
            doc: "Dumps a database with pg_dump.",
            attributes: &[
                required("database", Ty::Database, "Which: `database.NAME`."),
                optional(
                    "to",
                    Ty::Text,
                    "A folder; a relative one starts in the plan's. Default `backups`.",
                ),
            ],
            ..STEP
        },
        &BlockSchema {
            name: "verify",
            doc: "Restores a backup into a scratch database and compares.",
            attributes: &[
                required("backup", Ty::BackupId, "Which: `backup.NAME.id`."),
                optional("checks", Ty::Texts, "SQL that must yield true in the restored copy."),
            ],
            ..STEP
        },
        &BlockSchema {
            name: "migrate",
            doc: "Applies the target's migrations.",
            attributes: &[
                optional(
                    "backup",
                    Ty::VerifiedId,
                    "The verified backup behind it: `verify.NAME.id`.",
                ),
                optional(
                    "via",
                    Ty::OneOf(&["auto", "job", "exec"]),
                    "`auto` by default: exec where the running image has the migrations, a Job where it does not.",
                ),
                required("exec", Ty::Texts, "The command that migrates."),
                required("status", Ty::Texts, "The command that lists migrations as JSON."),
                optional(
                    "to",
                    Ty::Version,
                    "Version whose migrations are applied. Default `hop.to`.",
                ),
                optional(
                    "workload",
                    Ty::Text,
                    "`deployment/NAME` whose pod is used; the release's first by default.",
                ),
                optional("container", Ty::Text, "Container in that pod."),
                optional("quiesce", Ty::Bool, "Scale the workload to zero before."),
            ],
            blocks: &[&RETRY, &MIGRATE_ROLLBACK],
            ..STEP
        },
        &BlockSchema {
            name: "roll",
            doc: "`helm upgrade` to a version.",
            attributes: &[
                optional("version", Ty::Version, "Default `hop.to`."),
                optional(
                    "atomic",
                    Ty::Bool,
                    "Helm rolls back by itself when it fails. Default true.",
                ),
            ],
            ..STEP
        },
        &BlockSchema {
            name: "smoke",
            doc: "HTTP requests with expectations.",
            blocks: &[&RETRY, &ROLLBACK, &REQUEST],
            ..STEP
        },
        &BlockSchema {
            name: "probe",
            doc: "Requests at a steady rate beside other steps.",
            attributes: &[
                required("during", Ty::Steps, "The steps that it runs beside."),
                optional("every", Ty::Duration, "Interval between requests. Default `200ms`."),
            ],
            blocks: &[&RETRY, &ROLLBACK, &PROBE_BEFORE, &PROBE_REQUEST, &BUDGET],
            ..STEP
        },
        &BlockSchema {
            name: "approve",
            doc: "Waits for a signed approval of the plan.",
            attributes: &[
                optional(
                    "keys",
                    Ty::Texts,
                    "Public keys that may approve: ed25519, in Base64 or as OpenSSH writes them; anyone at the terminal when empty.",
                ),
                optional(
                    "threshold",
                    Ty::Number,
                    "How many different keys must approve. Default 1.",
                ),
                optional("deadline", Ty::Duration, "How long to wait."),
            ],
            ..STEP
        },
        &BlockSchema {
            name: "run",
            doc: "Any command.",
            attributes: &[
                required("command", Ty::Arguments, "Program and arguments; no shell."),
                optional("workdir", Ty::Text, "Where it runs, in the plan's folder."),
                optional("env", Ty::ArgumentMap, "Environment variables."),
                optional(
                    "pass_env",
                    Ty::Texts,
                    "Names of orthid's own variables that the commands get too, besides PATH, HOME and LANG.",
                ),
                optional(
                    "exit_codes",
                    Ty::Numbers,
                    "Exit codes that are a success. Default `[0]`.",
                ),
                optional(
                    "observe",
                    Ty::Arguments,
                    "A command that looks: exit 0 = done, 1 = not done, else unknown.",
                ),
                optional("undo", Ty::Arguments, "A command that undoes."),
                optional("idempotent", Ty::Bool, "Repeating it is harmless."),
                optional(
                    "detached",
                    Ty::Bool,
                    "Processes that it leaves at work are left on purpose. Without, the step waits for them.",
                ),
                optional(
                    "sensitive_outputs",
                    Ty::Texts,
                    "Names of outputs that are secret. Those that hold a secret of the plan are anyway.",
                ),
            ],
            ..STEP
        },
        &BlockSchema { name: "checkpoint", doc: "No effect; joins edges.", ..STEP },
    ],
    ..BLOCK
};
