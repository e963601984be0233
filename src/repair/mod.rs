//! For stores that are spread over machines: how a time range is cut into the units that they are placed by.

pub(crate) mod splits;
