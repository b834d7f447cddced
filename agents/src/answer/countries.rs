//! Countries and what their people and things are called, for comparing nationalities and places.

/// A country's name and its other forms, the first of which is the adjective.
type Country = (&'static str, &'static [&'static str]);

/// Which country a name or adjective stands for: an index that equals for `Swedish` and `Sweden`.
pub(crate) fn country(word: &str) -> Option<usize> {
    let word = word.strip_prefix("the ").unwrap_or(word);
    COUNTRIES
        .iter()
        .position(|(name, forms)| *name == word || forms.contains(&word))
        .or_else(|| STATES.contains(&word).then_some(UNITED_STATES).flatten())
}

/// Whether `word` is an adjective of nationality rather than a country's name.
pub(crate) fn is_adjective(word: &str) -> bool {
    COUNTRIES
        .iter()
        .any(|(_, forms)| forms.first() == Some(&word))
}

const UNITED_STATES: Option<usize> = position("United States");

const fn position(name: &str) -> Option<usize> {
    let mut i = 0;
    while i < COUNTRIES.len() {
        if equal(COUNTRIES[i].0, name) {
            return Some(i);
        }
        i += 1;
    }
    None
}

const fn equal(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut i = 0;
    while i < a.len() {
        if a[i] != b[i] {
            return false;
        }
        i += 1;
    }
    true
}

#[rustfmt::skip]
const COUNTRIES: &[Country] = &[
    ("Afghanistan", &["Afghan"]),
    ("Albania", &["Albanian"]),
    ("Algeria", &["Algerian"]),
    ("Andorra", &["Andorran"]),
    ("Angola", &["Angolan"]),
    ("Argentina", &["Argentine", "Argentinian", "Argentinean"]),
    ("Armenia", &["Armenian"]),
    ("Australia", &["Australian"]),
    ("Austria", &["Austrian"]),
    ("Azerbaijan", &["Azerbaijani"]),
    ("Bahamas", &["Bahamian"]),
    ("Bahrain", &["Bahraini"]),
    ("Bangladesh", &["Bangladeshi"]),
    ("Barbados", &["Barbadian"]),
    ("Belarus", &["Belarusian"]),
    ("Belgium", &["Belgian"]),
    ("Belize", &["Belizean"]),
    ("Benin", &["Beninese"]),
    ("Bhutan", &["Bhutanese"]),
    ("Bolivia", &["Bolivian"]),
    ("Bosnia and Herzegovina", &["Bosnian", "Bosnia"]),
    ("Botswana", &["Botswanan"]),
    ("Brazil", &["Brazilian"]),
    ("Bulgaria", &["Bulgarian"]),
    ("Burkina Faso", &["Burkinabe"]),
    ("Burundi", &["Burundian"]),
    ("Cambodia", &["Cambodian"]),
    ("Cameroon", &["Cameroonian"]),
    ("Canada", &["Canadian"]),
    ("Chad", &["Chadian"]),
    ("Chile", &["Chilean"]),
    ("China", &["Chinese", "People's Republic of China"]),
    ("Colombia", &["Colombian"]),
    ("Costa Rica", &["Costa Rican"]),
    ("Croatia", &["Croatian"]),
    ("Cuba", &["Cuban"]),
    ("Cyprus", &["Cypriot"]),
    ("Czech Republic", &["Czech", "Czechia", "Czechoslovak", "Czechoslovakia"]),
    ("Denmark", &["Danish"]),
    ("Dominican Republic", &["Dominican"]),
    ("Ecuador", &["Ecuadorian"]),
    ("Egypt", &["Egyptian"]),
    ("El Salvador", &["Salvadoran"]),
    ("Eritrea", &["Eritrean"]),
    ("Estonia", &["Estonian"]),
    ("Ethiopia", &["Ethiopian"]),
    ("Fiji", &["Fijian"]),
    ("Finland", &["Finnish"]),
    ("France", &["French"]),
    ("Gabon", &["Gabonese"]),
    ("Gambia", &["Gambian"]),
    ("Georgia", &["Georgian"]),
    ("Germany", &["German", "West Germany", "East Germany"]),
    ("Ghana", &["Ghanaian"]),
    ("Greece", &["Greek"]),
    ("Guatemala", &["Guatemalan"]),
    ("Guinea", &["Guinean"]),
    ("Guyana", &["Guyanese"]),
    ("Haiti", &["Haitian"]),
    ("Honduras", &["Honduran"]),
    ("Hong Kong", &["Hongkonger"]),
    ("Hungary", &["Hungarian"]),
    ("Iceland", &["Icelandic"]),
    ("India", &["Indian"]),
    ("Indonesia", &["Indonesian"]),
    ("Iran", &["Iranian", "Persian", "Persia"]),
    ("Iraq", &["Iraqi"]),
    ("Ireland", &["Irish", "Republic of Ireland"]),
    ("Israel", &["Israeli"]),
    ("Italy", &["Italian"]),
    ("Ivory Coast", &["Ivorian"]),
    ("Jamaica", &["Jamaican"]),
    ("Japan", &["Japanese"]),
    ("Jordan", &["Jordanian"]),
    ("Kazakhstan", &["Kazakh", "Kazakhstani"]),
    ("Kenya", &["Kenyan"]),
    ("Kosovo", &["Kosovar"]),
    ("Kuwait", &["Kuwaiti"]),
    ("Kyrgyzstan", &["Kyrgyz", "Kyrgyzstani"]),
    ("Laos", &["Laotian"]),
    ("Latvia", &["Latvian"]),
    ("Lebanon", &["Lebanese"]),
    ("Liberia", &["Liberian"]),
    ("Libya", &["Libyan"]),
    ("Liechtenstein", &["Liechtensteiner"]),
    ("Lithuania", &["Lithuanian"]),
    ("Luxembourg", &["Luxembourgish"]),
    ("Madagascar", &["Malagasy"]),
    ("Malawi", &["Malawian"]),
    ("Malaysia", &["Malaysian"]),
    ("Maldives", &["Maldivian"]),
    ("Mali", &["Malian"]),
    ("Malta", &["Maltese"]),
    ("Mauritania", &["Mauritanian"]),
    ("Mauritius", &["Mauritian"]),
    ("Mexico", &["Mexican"]),
    ("Moldova", &["Moldovan"]),
    ("Monaco", &["Monegasque"]),
    ("Mongolia", &["Mongolian"]),
    ("Montenegro", &["Montenegrin"]),
    ("Morocco", &["Moroccan"]),
    ("Mozambique", &["Mozambican"]),
    ("Myanmar", &["Burmese", "Burma"]),
    ("Namibia", &["Namibian"]),
    ("Nepal", &["Nepalese", "Nepali"]),
    ("Netherlands", &["Dutch", "The Netherlands", "Holland"]),
    ("New Zealand", &["New Zealander"]),
    ("Nicaragua", &["Nicaraguan"]),
    ("Niger", &["Nigerien"]),
    ("Nigeria", &["Nigerian"]),
    ("North Korea", &["North Korean"]),
    ("North Macedonia", &["Macedonian", "Macedonia"]),
    ("Norway", &["Norwegian"]),
    ("Oman", &["Omani"]),
    ("Pakistan", &["Pakistani"]),
    ("Palestine", &["Palestinian"]),
    ("Panama", &["Panamanian"]),
    ("Papua New Guinea", &["Papua New Guinean"]),
    ("Paraguay", &["Paraguayan"]),
    ("Peru", &["Peruvian"]),
    ("Philippines", &["Filipino", "Philippine"]),
    ("Poland", &["Polish"]),
    ("Portugal", &["Portuguese"]),
    ("Puerto Rico", &["Puerto Rican"]),
    ("Qatar", &["Qatari"]),
    ("Romania", &["Romanian"]),
    ("Russia", &["Russian", "Soviet", "Soviet Union", "USSR", "Russian Empire"]),
    ("Rwanda", &["Rwandan"]),
    ("Saudi Arabia", &["Saudi", "Saudi Arabian"]),
    ("Senegal", &["Senegalese"]),
    ("Serbia", &["Serbian"]),
    ("Sierra Leone", &["Sierra Leonean"]),
    ("Singapore", &["Singaporean"]),
    ("Slovakia", &["Slovak"]),
    ("Slovenia", &["Slovenian", "Slovene"]),
    ("Somalia", &["Somali"]),
    ("South Africa", &["South African"]),
    ("South Korea", &["South Korean", "Korean", "Korea"]),
    ("Spain", &["Spanish"]),
    ("Sri Lanka", &["Sri Lankan"]),
    ("Sudan", &["Sudanese"]),
    ("Suriname", &["Surinamese"]),
    ("Sweden", &["Swedish"]),
    ("Switzerland", &["Swiss"]),
    ("Syria", &["Syrian"]),
    ("Taiwan", &["Taiwanese"]),
    ("Tajikistan", &["Tajik"]),
    ("Tanzania", &["Tanzanian"]),
    ("Thailand", &["Thai"]),
    ("Togo", &["Togolese"]),
    ("Trinidad and Tobago", &["Trinidadian"]),
    ("Tunisia", &["Tunisian"]),
    ("Turkey", &["Turkish", "Ottoman", "Ottoman Empire"]),
    ("Turkmenistan", &["Turkmen"]),
    ("Uganda", &["Ugandan"]),
    ("Ukraine", &["Ukrainian"]),
    ("United Arab Emirates", &["Emirati", "UAE"]),
    ("United Kingdom", &["British", "English", "England", "Scottish", "Scotland", "Welsh", "Wales", "Northern Ireland", "Northern Irish", "UK", "U.K.", "Great Britain", "Britain"]),
    ("United States", &["American", "United States of America", "America", "U.S.", "US", "USA", "U.S.A."]),
    ("Uruguay", &["Uruguayan"]),
    ("Uzbekistan", &["Uzbek"]),
    ("Venezuela", &["Venezuelan"]),
    ("Vietnam", &["Vietnamese"]),
    ("Yemen", &["Yemeni"]),
    ("Yugoslavia", &["Yugoslav"]),
    ("Zambia", &["Zambian"]),
    ("Zimbabwe", &["Zimbabwean"]),
];

/// States of the United States; `Georgia` is left to the country, whose name it shares.
#[rustfmt::skip]
const STATES: &[&str] = &[
    "Alabama", "Alaska", "Arizona", "Arkansas", "California", "Colorado", "Connecticut", "Delaware",
    "Florida", "Hawaii", "Idaho", "Illinois", "Indiana", "Iowa", "Kansas", "Kentucky",
    "Louisiana", "Maine", "Maryland", "Massachusetts", "Michigan", "Minnesota", "Mississippi", "Missouri",
    "Montana", "Nebraska", "Nevada", "New Hampshire", "New Jersey", "New Mexico", "New York", "North Carolina",
    "North Dakota", "Ohio", "Oklahoma", "Oregon", "Pennsylvania", "Rhode Island", "South Carolina", "South Dakota",
    "Tennessee", "Texas", "Utah", "Vermont", "Virginia", "West Virginia", "Wisconsin", "Wyoming",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_country_are_one() {
        assert_eq!(country("Swedish"), country("Sweden"));
        assert_eq!(country("Ohio"), country("American"));
        assert_ne!(country("Swedish"), country("Swiss"));
        assert_eq!(country("Narnia"), None);
        assert!(is_adjective("Swedish") && !is_adjective("Sweden"));
    }
}
