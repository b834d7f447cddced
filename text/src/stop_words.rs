//! Words that carry no topic: Lucene's list for indexing, a wider one for reading.

/// Lucene's 33 English stop words, which index terms leave out. `word` is lower case.
pub fn is_stop_word(word: &str) -> bool {
    matches!(
        word,
        "a" | "an"
            | "and"
            | "are"
            | "as"
            | "at"
            | "be"
            | "but"
            | "by"
            | "for"
            | "if"
            | "in"
            | "into"
            | "is"
            | "it"
            | "no"
            | "not"
            | "of"
            | "on"
            | "or"
            | "such"
            | "that"
            | "the"
            | "their"
            | "then"
            | "there"
            | "these"
            | "they"
            | "this"
            | "to"
            | "was"
            | "will"
            | "with"
    )
}

/// English function words: articles, pronouns, prepositions, conjunctions, auxiliaries, question
/// words and the adverbs that open sentences. `word` is lower case.
pub fn is_function_word(word: &str) -> bool {
    FUNCTION_WORDS.binary_search(&word).is_ok()
}

/// Sorted; a test checks it.
#[rustfmt::skip]
pub(crate) const FUNCTION_WORDS: &[&str] = &[
    "a", "about", "above", "according", "across", "actually", "additionally", "after",
    "afterward", "afterwards", "again", "against", "all", "almost", "along", "already", "also",
    "although", "always", "am", "among", "amongst", "an", "and", "another", "any", "anyone",
    "anything", "are", "around", "as", "at", "back", "be", "because", "been", "before", "behind",
    "being", "below", "beneath", "beside", "besides", "between", "beyond", "both", "but", "by",
    "can", "cannot", "could", "currently", "despite", "did", "do", "does", "doing", "done", "down",
    "during", "each", "early", "either", "else", "elsewhere", "even", "eventually", "ever",
    "every", "everyone", "everything", "except", "few", "finally", "first", "following", "for",
    "formerly", "from", "further", "furthermore", "given", "had", "has", "have", "having", "he",
    "hence", "her", "here", "hers", "herself", "him", "himself", "his", "how", "however", "i",
    "if", "in", "including", "indeed", "initially", "inside", "instead", "into", "is", "it",
    "its", "itself", "just", "last", "lastly", "late", "later", "least", "less", "like",
    "likewise", "many", "may", "maybe", "me", "meanwhile", "might", "mine", "more", "moreover",
    "most", "mostly", "much", "must", "my", "myself", "near", "nearly", "neither", "never",
    "nevertheless", "next", "no", "nobody", "none", "nonetheless", "nor", "not", "nothing", "now",
    "of", "off", "often", "on", "once", "one", "only", "onto", "or", "originally", "other",
    "others", "otherwise", "ought", "our", "ours", "out", "outside", "over", "overall", "own",
    "part", "per", "perhaps", "please", "previously", "rather", "recently", "regarding", "same",
    "second", "several", "shall", "she", "should", "similarly", "since", "so", "some", "someone",
    "something", "sometimes", "soon", "still", "subsequently", "such", "than", "that", "the",
    "their", "theirs", "them", "themselves", "then", "there", "thereafter", "therefore", "these",
    "they", "this", "those", "though", "through", "throughout", "thus", "till", "to", "today",
    "together", "too", "toward", "towards", "two", "under", "unless", "unlike", "until", "up",
    "upon", "us", "used", "usually", "very", "via", "was", "we", "well", "were", "what",
    "whatever", "when", "whenever", "where", "whereas", "wherever", "whether", "which", "while",
    "who", "whoever", "whom", "whose", "why", "will", "with", "within", "without", "would",
    "yes", "yet", "you", "your", "yours",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        assert!(FUNCTION_WORDS.is_sorted());
        assert!(is_function_word("however") && !is_function_word("river"));
    }
}
