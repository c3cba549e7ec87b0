//! The stable codes of everything that can be wrong with a plan's text.
//!
//! Must not: change a string that was released; each is a page of the book and may stand in
//! someone's CI.

use std::fmt;

macro_rules! codes {
    ($($variant:ident $name:literal $title:literal,)*) => {
        /// What is wrong, in one word that never changes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = $title] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the book.
            pub const ALL: &[Code] = &[$(Code::$variant,)*];

            /// The stable string: `orthid::config::unknown_reference`.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Code::$variant => concat!("orthid::config::", $name),)*
                }
            }

            /// The last part of the string, which names the page of the book.
            pub fn slug(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)*
                }
            }

            /// One line that says what the code stands for.
            pub fn title(self) -> &'static str {
                match self {
                    $(Code::$variant => $title,)*
                }
            }
        }
    };
}

codes! {
    Syntax "syntax" "The text is not HCL",
    NotUtf8 "not_utf8" "The file is not UTF-8 text",
    TooDeep "too_deep" "Nesting is deeper than is read",
    BudgetExceeded "budget_exceeded" "The plan takes more work or memory than a plan may",
    UnknownBlock "unknown_block" "A block of this name does not exist here",
    UnknownAttribute "unknown_attribute" "An attribute of this name does not exist here",
    MissingBlock "missing_block" "A block that is needed is not there",
    MissingAttribute "missing_attribute" "An attribute that is needed is not there",
    ConflictingAttributes "conflicting_attributes" "Two attributes exclude each other",
    DuplicateName "duplicate_name" "A name is given twice",
    InvalidName "invalid_name" "A name has characters that names don't have",
    WrongLabels "wrong_labels" "A block has too many or too few labels",
    WrongType "wrong_type" "A value has the wrong type",
    InvalidValue "invalid_value" "A value is not one that is accepted here",
    InvalidVersion "invalid_version" "Text is not a version",
    InvalidVersionRange "invalid_version_range" "Text is not a range of versions",
    InvalidDuration "invalid_duration" "Text is not a duration",
    UnknownReference "unknown_reference" "A reference names nothing",
    UnknownFunction "unknown_function" "A function of this name does not exist",
    ExpressionError "expression_error" "An expression can't be computed",
    NotKnownYet "not_known_yet" "A value is needed before it is known",
    DependencyCycle "dependency_cycle" "Things depend on each other in a circle",
    UnknownVariable "unknown_variable" "A value is given for a variable that the plan does not have",
    VariableNotSet "variable_not_set" "A variable has neither value nor default",
    VariableValidation "variable_validation" "A variable's value is refused by its validation",
    PathEscape "path_escape" "A path leads out of the plan's folder",
    FileError "file_error" "A file that the plan names can't be read",
    SecretInPlan "secret_in_plan" "A secret stands in the plan's text",
    SafetyMigrateWithoutBackup "safety_migrate_without_backup" "A migration does not come after a verified backup",
    SafetyRollWithoutMigrate "safety_roll_without_migrate" "A roll does not come after its hop's migration",
    SafetySmokeWithoutRoll "safety_smoke_without_roll" "A smoke test does not come after the roll",
    SafetyUnverifiedRestore "safety_unverified_restore" "A rollback would restore a backup that was not verified",
    PolicyReason "policy_reason" "A safety rule is relaxed without a reason",
    UnknownRule "unknown_rule" "A policy names a rule that does not exist",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_code_is_its_own() {
        let names: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        assert!(Code::ALL.iter().all(|code| code.as_str().ends_with(code.slug())));
    }
}
