/// A group of race and ethnicity, as the Census Bureau's surname file divides people. All but
/// [`Group::Hispanic`] are not Hispanic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// White.
    White,
    /// Black or African American.
    Black,
    /// Asian, Native Hawaiian or other Pacific Islander.
    Api,
    /// American Indian or Alaska Native.
    Aian,
    /// Two or more races.
    Multiracial,
    /// Hispanic or Latino, of any race.
    Hispanic,
}

impl Group {
    /// Every group, in the order of [`Shares`].
    pub const ALL: [Self; 6] = [
        Self::White,
        Self::Black,
        Self::Api,
        Self::Aian,
        Self::Multiracial,
        Self::Hispanic,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::White => "white",
            Self::Black => "black",
            Self::Api => "api",
            Self::Aian => "aian",
            Self::Multiracial => "multiracial",
            Self::Hispanic => "hispanic",
        }
    }
}

/// One number for each group, in the order of [`Group::ALL`].
pub type Shares = [f64; Group::ALL.len()];
