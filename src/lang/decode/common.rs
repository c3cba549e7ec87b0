//! What every step takes: `depends_on`, `when`, `timeout`, `retry`, `on_failure`, `description`,
//! `rollback`.

use crate::lang::Value;
use crate::lang::decode::{Reader, attribute, block};
use crate::lang::eval::Eval;
use crate::lang::syntax::Body;
use crate::model::{Address, OnFailure, Residual, Retry, Rollback, StepKind};

#[derive(Debug)]
pub(in crate::lang) struct Common {
    pub description: Option<String>,
    pub when: When,
    pub timeout_ms: Option<u64>,
    pub retry: Retry,
    pub on_failure: OnFailure,
    pub rollback: Option<Rollback>,
    /// What `depends_on` lists.
    pub after: Vec<Address>,
}

/// Whether the step is part of the run.
#[derive(Debug)]
pub(in crate::lang) enum When {
    Always,
    Never,
    Later(Residual),
}

pub(super) const ON_FAILURE: [(&str, OnFailure); 3] = [
    ("rollback", OnFailure::Rollback),
    ("stop", OnFailure::Stop),
    ("continue", OnFailure::Continue),
];

impl Common {
    pub fn read(reader: &mut Reader, body: &Body) -> Eval<Common> {
        let description = reader.text(body, "description");
        let when = reader.when(body);
        let timeout_ms = reader.duration(body, "timeout");
        let retry = reader.retry(body);
        let on_failure = reader.word(body, "on_failure", &ON_FAILURE);
        let rollback = reader.rollback(body);
        let after = reader.steps(body, "depends_on");
        Ok(Common {
            description: description?,
            when: when?,
            timeout_ms: timeout_ms?,
            retry: retry?,
            on_failure: on_failure?.unwrap_or_default(),
            rollback: rollback?,
            after: after?.map(|(steps, _)| steps).unwrap_or_default(),
        })
    }
}

impl Reader<'_, '_> {
    fn when(&mut self, body: &Body) -> Eval<When> {
        let Some(condition) = attribute(body, "when") else { return Ok(When::Always) };
        let value = self.on.eval(&condition.value)?;
        value.steps(&mut self.rests_on);
        if let Value::Deferred(deferred) = &value {
            return Ok(When::Later(deferred.residual()));
        }
        Ok(match self.on.truth(&value, condition.value.span)? {
            true => When::Always,
            false => When::Never,
        })
    }

    fn retry(&mut self, body: &Body) -> Eval<Retry> {
        const MOST_ATTEMPTS: i64 = 100;
        let Some(block) = block(body, "retry") else { return Ok(Retry::default()) };
        let attempts = self.number(&block.body, "attempts", 1, MOST_ATTEMPTS);
        let delay = self.duration(&block.body, "delay");
        let max_delay = self.duration(&block.body, "max_delay");
        let default = Retry::default();
        let attempts = attempts?.map_or(default.attempts, |attempts| attempts as u32);
        let delay_ms = delay?.unwrap_or(default.delay_ms);
        let max_delay_ms = max_delay?.unwrap_or(default.max_delay_ms.max(delay_ms));
        if max_delay_ms < delay_ms {
            let message = "`max_delay` is shorter than `delay`";
            let span = self.span_of(&block.body, "max_delay");
            return self.on.error(crate::lang::Code::ConflictingAttributes, message, span);
        }
        Ok(Retry { attempts, delay_ms, max_delay_ms })
    }

    fn rollback(&mut self, body: &Body) -> Eval<Option<Rollback>> {
        let Some(block) = block(body, "rollback") else { return Ok(None) };
        // Whether it was verified is a safety rule, which is checked with the others.
        let restore = self.id_of(&block.body, "restore", &[StepKind::Verify, StepKind::Backup])?;
        Ok(Some(Rollback { restore }))
    }
}
