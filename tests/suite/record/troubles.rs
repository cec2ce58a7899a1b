//! Trouble of every sort: nothing acknowledged is lost.
