//! How much work and memory a plan's expressions may take. A plan is text from somewhere;
//! evaluating it must end.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use regex::Regex;

/// Operations that any plan may take; roughly a quarter of a second.
const OPERATIONS: u64 = 2_000_000;
const OPERATIONS_PER_BYTE: u64 = 2;
/// Bytes of values that any plan may make, all together.
const BYTES: u64 = 48 << 20;
const BYTES_PER_BYTE: u64 = 6;
/// Values in one value, counting what is shared as often as it is there.
pub(super) const MAX_VALUE_WEIGHT: u64 = 4_000_000;
/// Collections in collections.
pub(super) const MAX_VALUE_DEPTH: u16 = 64;
/// Steps that a plan may be instantiated to.
pub(super) const MAX_STEPS: usize = 100_000;
/// Locals of a plan, attributes of one block, and elements that one object may be written with.
pub(super) const MAX_NAMES: usize = 100_000;
/// Blocks that may stand together: the steps, and what a plan has besides.
pub(super) const MAX_BLOCKS: usize = MAX_STEPS + 10_000;

#[derive(Debug)]
pub(super) struct Budget {
    operations: Cell<u64>,
    bytes: Cell<u64>,
    reported: Cell<bool>,
    /// Compiled once and shared: compiling costs a thousand times what matching does, and a copy of
    /// a compiled form begins without the working memory of the first.
    regexes: RefCell<HashMap<String, Rc<Regex>>>,
}

impl Budget {
    /// For a plan of so many bytes of source, instantiated so many times.
    pub fn new(source_bytes: usize, times: usize) -> Budget {
        let source = source_bytes as u64 * times.max(1) as u64;
        Budget {
            operations: Cell::new(OPERATIONS + source * OPERATIONS_PER_BYTE),
            bytes: Cell::new(BYTES + source * BYTES_PER_BYTE),
            reported: Cell::new(false),
            regexes: RefCell::default(),
        }
    }

    /// False where nothing is left.
    #[must_use]
    pub fn spend(&self, operations: u64, bytes: u64) -> bool {
        let (left, bytes_left) = (self.operations.get(), self.bytes.get());
        if left < operations || bytes_left < bytes {
            self.operations.set(0);
            self.bytes.set(0);
            return false;
        }
        self.operations.set(left - operations);
        self.bytes.set(bytes_left - bytes);
        true
    }

    /// The compiled form of a pattern, if it was compiled before.
    pub fn regex(&self, pattern: &str) -> Option<Rc<Regex>> {
        self.regexes.borrow().get(pattern).cloned()
    }

    pub fn keep_regex(&self, pattern: &str, regex: Regex) -> Rc<Regex> {
        let regex = Rc::new(regex);
        self.regexes.borrow_mut().insert(pattern.to_owned(), Rc::clone(&regex));
        regex
    }

    /// Whether this is the first report: once is enough.
    pub fn first_report(&self) -> bool {
        !self.reported.replace(true)
    }
}
