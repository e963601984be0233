//! What happens in a case, line by line, for whoever has to find out why it failed.

/// Whether what happens is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Story {
    Silent,
    Told,
}

impl Story {
    pub(crate) fn is_told(self) -> bool {
        self == Story::Told
    }
}

/// Prints a line if the story is told.
macro_rules! tell {
    ($story:expr, $($text:tt)*) => {
        if $story.is_told() {
            println!($($text)*);
        }
    };
}
pub(crate) use tell;
