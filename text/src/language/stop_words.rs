//! Function words of languages: what their analyzers leave out, and what shows that a text is
//! written in one of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use super::{Language, Languages};
use crate::stop_words::FUNCTION_WORDS;

/// Whether the analyzer of a language other than English leaves out `word`, which is folded as that
/// analyzer does.
pub(super) fn is_stop_word(language: Language, word: &str) -> bool {
    languages_of(word).contains(language)
}

/// The languages that have `word` as a function word; for English those of
/// [`crate::is_function_word`].
pub(super) fn languages_of(word: &str) -> Languages {
    if word.len() > LONGEST {
        return Languages::default();
    }
    BY_WORD.get(word).copied().unwrap_or_default()
}

/// A number that stands for a word.
pub(super) fn key_of(word: &str) -> u64 {
    let mut hash = Fnv::default();
    hash.write(word.as_bytes());
    hash.finish()
}

/// FNV-1a: the words are few and known, and every word of every text is looked up.
#[derive(Clone)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Whether there is a list for a language other than English.
#[cfg(test)]
pub(super) fn has_list(language: Language) -> bool {
    LISTS.iter().any(|(listed, _)| *listed == language)
}

/// Bytes of the longest word in the lists; a test checks it.
const LONGEST: usize = 20;

type ByWord = HashMap<&'static str, Languages, BuildHasherDefault<Fnv>>;

static BY_WORD: LazyLock<ByWord> = LazyLock::new(|| {
    let mut languages = ByWord::default();
    for word in FUNCTION_WORDS {
        languages.entry(word).or_default().insert(Language::English);
    }
    for (language, words) in LISTS {
        for word in words.split_whitespace() {
            languages.entry(word).or_default().insert(*language);
        }
    }
    languages
});

/// Articles, pronouns, prepositions, conjunctions, auxiliaries and negations, in lower case and
/// composed form, with `σ` for the final sigma.
const LISTS: &[(Language, &str)] = &[
    (
        Language::Arabic,
        "في من على إلى الى عن مع هذا هذه ذلك تلك التي الذي الذين أن ان إن كان كانت يكون لم لن لا ما \
         هو هي هم كل قد بعد قبل بين أو او ثم حتى عند عندما منذ أي كما لكن غير وفي ومن وهو وهي وقد \
         ولا به بها له لها فيه فيها منه منها عليه حيث أكثر إذا اذا",
    ),
    (
        Language::Catalan,
        "el la els les un una uns unes de del dels al als amb per pel pels i o però que qui no és són \
         era eren ha han hi ho en es se seu seva seus seves com més aquest aquesta aquests aquestes \
         ser va van fou entre sobre també molt quan on sense fins des li",
    ),
    (
        Language::Czech,
        "a aby ale ani až bez by byl byla byli bylo byly být co do ho i já jak jako je jeho její jejich \
         jen již jsem jsou k kde kdo když která které který ke ma mezi mu na nad ne nebo není než o od \
         po pod podle pro proti protože před při s se si tak také tato ten tento to tohoto tom tomto \
         toto u už v ve více však z za že",
    ),
    (
        Language::Danish,
        "og i jeg det at en den til er som på de med han af for ikke der var mig sig men et har om vi \
         min havde ham hun nu over da fra du ud sin dem os op man hans hvor eller hvad skal selv her \
         alle vil blev kunne ind når være dog noget ville jo deres efter ned skulle denne end dette \
         mit også under have dig anden hende mine alt meget sit sine vor mod disse hvis din nogle hos \
         blive mange bliver hendes været thi jer sådan kan mellem hvem hvilken hvilke",
    ),
    (
        Language::German,
        "aber alle allem allen aller alles als also am an ander andere anderen anderer auch auf aus bei \
         beim bin bis bist da damit dann das dass daß dasselbe dazu dein deine dem den denn der des \
         dessen deren dich die dies diese diesem diesen dieser dieses dir doch dort du durch ein eine \
         einem einen einer eines einige er es etwas euch euer für gegen gewesen hab habe haben hat hatte \
         hatten hier hin hinter ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ist jede jedem jeden \
         jeder jedes jene jetzt kann kein keine keinem keinen keiner können man mein meine mich mir mit \
         muss nach nicht nichts noch nun nur ob oder ohne sehr sein seine seinem seinen seiner seit sich \
         sie sind so solche soll sollte sondern sonst über um und uns unser unter viel vom von vor war \
         waren was weil welche welchem welchen welcher welches wenn wer wem wen werde werden wie wieder \
         will wir wird wo worden wurde wurden würde zu zum zur zwar zwischen",
    ),
    (
        Language::Greek,
        "ο η το οι τα του τησ των τον την τουσ τισ και να με σε για από απο στο στη στον στην στα στουσ \
         στισ που πωσ δεν δε μη μην είναι ήταν έχει έχουν είχε θα ένα ένασ μια μία ενόσ μιασ αυτό αυτόσ \
         αυτή αυτά αυτοί ότι όταν όπωσ αλλά ή κατά μετά πριν προσ χωρίσ πολύ ωσ αν ποιοσ ποια ποιο τι \
         μασ σασ",
    ),
    (
        Language::Spanish,
        "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o \
         este sí porque esta entre cuando muy sin sobre también me hasta hay donde quien desde todo \
         nos durante todos uno les ni contra otros ese eso ante ellos e esto mí antes algunos qué unos \
         yo otro otras otra él tanto esa estos mucho quienes nada muchos cual poco ella estar estas \
         algunas algo nosotros mi mis tú te ti tu tus ellas es son era eran fue fueron ser sido está \
         están ha han había habían cuál cuándo dónde quién cómo",
    ),
    (
        Language::Finnish,
        "ja on ei se että oli ovat hän mutta kun joka jonka jotka jossa myös olla ole ollut olivat sen \
         sitä siitä siinä siihen ne niitä niiden nämä tämä tämän tässä tätä tällä näiden minä sinä me te \
         he hänen heidän minun sinun mikä mitä missä kuka ketkä kuin niin tai vai eli sekä jos koska \
         vaan jo vain mukaan kanssa jälkeen ennen en et emme ette eivät olisi voi voivat ilman yli",
    ),
    (
        Language::French,
        "au aux avec ce ces cet cette dans de des du elle elles en et eux il ils je la le les leur leurs \
         lui ma mais me même mes moi mon ne nos notre nous on ou où par pas pour qu que qui quoi sa sans \
         se ses son sur ta te tes toi ton tu un une vos votre vous c d j l à m n s t y est sont était \
         étaient été être ai as a ont avait avaient avoir fut furent sera seront ceci cela celui celle \
         ceux comme donc dont entre ni plus si sous très aussi chez quand quel quelle quels quelles",
    ),
    (
        Language::Hindi,
        "के का की में है हैं को से पर और एक यह वह ये वे इस उस इन उन ने भी था थी थे हो तक कर जो तो ही या \
         नहीं कि लिए साथ बाद अपने अपनी अपना किया गया गयी गई जा रहा रही रहे कुछ जब तब कोई द्वारा हुए हुआ हुई \
         होता होती होते करने क्या कौन कब कहाँ",
    ),
    (
        Language::Hungarian,
        "a az és hogy nem is egy ez azt ezt meg de volt csak már még el mint van vagy ha lesz volna sem \
         minden aki ami amely amelyek amelyet akik ahol mert be ki le fel itt ott ezek azok ennek annak \
         ezen azon abban ebben arra erre majd után alatt között szerint által pedig úgy így ő ők én te \
         mi ti voltak lett lehet kell nagyon több sok mely nincs",
    ),
    (
        Language::Indonesian,
        "yang dan di dari ini itu dengan untuk pada adalah dalam tidak akan oleh sebagai ke juga atau \
         telah dapat ia saya kami kita mereka anda dia karena ada lebih bahwa tersebut secara antara \
         hanya sudah saat setelah serta seperti para menjadi bisa harus masih namun tetapi ketika \
         sebuah seorang apa siapa",
    ),
    (
        Language::Italian,
        "ad al allo ai agli all alla alle con col coi da dal dallo dai dagli dall dalla dalle di del \
         dello dei degli dell della delle in nel nello nei negli nell nella nelle su sul sullo sui sugli \
         sull sulla sulle per tra fra contro io tu lui lei noi voi loro mio mia suo sua suoi sue nostro \
         mi ti ci vi lo la li le gli ne il un uno una ma ed se perché anche come dov dove che chi cui non \
         più quale quali quanto quando questo questa questi queste quello quella quelli si e o a i è \
         sono era erano fu furono essere stato stata ha hanno aveva avevano",
    ),
    (
        Language::Dutch,
        "de en van ik te dat die in een hij het niet zijn is was op aan met als voor had er maar om hem \
         dan zou of wat mijn men dit zo door over ze zich bij ook tot je mij uit der daar haar naar heb \
         hoe heeft hebben deze u want nog zal me zij nu ge geen omdat iets worden toch al waren veel meer \
         doen toen moet ben zonder kan hun dus alles onder ja eens hier wie werd werden altijd doch wordt \
         wezen kunnen ons zelf tegen na reeds wil kon niets uw iemand geweest andere waar welke",
    ),
    (
        Language::Norwegian,
        "og i jeg det at en et den til er som på de med han av ikke der så var meg seg men ett har om vi \
         min mitt ha hadde hun nå over da ved fra du ut sin dem oss opp man kan hans hvor eller hva skal \
         selv sjøl her alle vil bli ble blei blitt kunne inn når være kom noen noe ville dere deres kun \
         etter ned skulle denne for deg si sine sitt mot å meget hvorfor dette disse uten hvordan ingen \
         din ditt blir samme hvilken hvilke sånn inni mellom vår hver hvem vors hvis både bare enn fordi \
         før mange også slik vært begge siden henne hennes ikkje eg ein eit",
    ),
    (
        Language::Polish,
        "i w na z do się nie że to jest o jak po co ale za od tak ze jego jej ich dla przez był była było \
         były być są ten ta te tego tej tym tych który która które którzy których którym oraz lub albo \
         czy już tylko także także jako przed przy nad pod bez między gdy kiedy gdzie kto może mnie mu \
         go im ją on ona ono oni aby więc jednak bardzo we ku",
    ),
    (
        Language::Portuguese,
        "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu \
         sua ou quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos seus \
         quem nas me esse eles você essa num nem suas meu às minha numa pelos elas qual nós lhe deles \
         essas esses pelas este dele tu te vocês vos lhes meus teu tua nosso nossa dela delas esta estes \
         estas aquele aquela aqueles isto aquilo é são era eram foi foram ser sido está estão há onde qual \
         quais porque",
    ),
    (
        Language::Romanian,
        "și în la de pe cu din nu o un a ce care să se este sunt era erau fost pentru mai sau dar că al \
         ai ale lui lor ei el ea prin după până fără între ca au am ar fi acest această acești aceste \
         acel acea acestea cel cea cei cele când unde cum cine foarte doar iar îl le i-a într dintre \
         despre sub către unui unei unor",
    ),
    (
        Language::Russian,
        "и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по только ее её мне \
         было вот от меня еще ещё нет о из ему теперь когда даже ну ли если уже или ни быть был него до \
         вас нибудь вам ведь там потом себя ей может они тут где есть надо ней для мы тебя их чем была \
         сам чтоб без будто чего раз тоже себе под будет ж тогда кто этот того потому этого какой ним \
         здесь этом мой тем чтобы нее были куда зачем всех можно при об хоть после над тот через эти нас \
         про них какая эта моя свою этой перед том такой им более всю между это который которая которые \
         которого является также",
    ),
    (
        Language::Swedish,
        "och det att i en jag hon som han på den med var sig för så till är men ett om hade de av icke \
         mig du henne då sin nu har inte hans honom skulle hennes där min man ej vid kunde något från ut \
         när efter upp vi dem vara vad över än dig kan sina här ha mot alla under någon eller allt mycket \
         sedan ju denna själv detta åt utan varit hur ingen mitt ni bli blev oss din dessa några deras \
         blir mina samma vilken er sådan vår blivit dess inom mellan sådant varför varje vilka ditt vem \
         vilket sitt sådana vart dina vars vårt våra ert era vilkas också genom",
    ),
    (
        Language::Turkish,
        "ve bir bu da de için ile olarak olan çok daha gibi en o ne ama ya ki kadar sonra önce her değil \
         mi mı mu mü var yok ise veya hem diye şey tüm bütün ben sen biz siz onlar onun onu bunu bunun \
         tarafından üzerine göre oldu olduğu idi dır dir kendi ancak çünkü nasıl neden nerede kim hangi \
         arasında ilk",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_folded_and_no_word_is_longer_than_what_is_looked_up() {
        for (language, words) in LISTS {
            assert!(words.split_whitespace().count() > 40, "{language}");
            for word in words.split_whitespace() {
                assert!(word.len() <= LONGEST, "{word}: {}", word.len());
                let folded = crate::language::analyze::fold_word(*language, word);
                assert_eq!(folded, word, "{language}");
            }
        }
        assert!(is_stop_word(Language::German, "und"));
        assert!(!is_stop_word(Language::German, "haus"));
        assert!(!is_stop_word(Language::Czech, "und"));
        assert!(has_list(Language::Swedish) && !has_list(Language::Basque));
    }
}
