//! The sidecar front: our own HTTP/1.1 forwarder.
