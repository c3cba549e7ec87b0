//! Any text as an expression: what it gives, or what is left of it, computes again to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use orthid::lang::{Inputs, Source, eval_residual, load};
use orthid::model::{Arg, StepSpec};

fuzz_target!(|expr: &str| {
    let text = format!("run \"x\" {{\n  command = [\n{expr}\n  ]\n}}\n");
    let Ok(config) = load(&[Source::new("fuzz.hcl", text)], &Inputs::none()) else { return };
    let Ok(steps) = config.steps(&[]) else { return };
    for step in steps {
        let StepSpec::Run(run) = step.spec else { continue };
        for arg in run.command {
            if let Arg::Later(residual) = arg {
                let env = |_: &str| Some("value".to_owned());
                let first = eval_residual(&residual, &|_, _| None, &env);
                let second = eval_residual(&residual, &|_, _| None, &env);
                assert_eq!(first, second, "{}", residual.expr);
            }
        }
    }
});
