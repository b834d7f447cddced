//! indago-retriever.
