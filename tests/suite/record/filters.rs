//! Every question gives what a look at every single event gives.
