//! Image folders, and what becomes of them on the way into the network.
