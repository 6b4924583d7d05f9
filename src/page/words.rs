//! What the block page says, in the languages it knows: every text stands here and nowhere else.
//!
//! In: which languages a browser would like. Out: a [`Language`], and its [`Words`].
//! Always: plain words for a child, and no blame: it did nothing wrong by looking. `{}` in a text is where a name or a time goes; the same
//! texts have it in all languages.

/// A language of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Russian,
}

/// The texts of one language.
pub struct Words {
    /// As BCP 47 has it.
    pub tag: &'static str,
    pub title: &'static str,
    /// With the site.
    pub closed: &'static str,
    pub no_blame: &'static str,
    pub why: &'static str,
    /// By category, in the order of [`CATEGORIES`].
    categories: [&'static str; CATEGORIES.len()],
    /// Of another category, with its word.
    category: &'static str,
    pub service: &'static str,
    pub window: &'static str,
    pub pause: &'static str,
    pub quota: &'static str,
    pub not_among_only: &'static str,
    pub denied: &'static str,
    pub way_around: &'static str,
    pub other: &'static str,
    pub by_law: &'static str,
    pub by_operator: &'static str,
    /// With the time.
    pub until: &'static str,
    pub quota_until: &'static str,
    /// What to do.
    pub now: &'static str,
    /// With whom to ask.
    pub ask: &'static str,
    pub grown_up: &'static str,
    pub form: &'static str,
    pub note: &'static str,
    pub send: &'static str,
    pub sent: &'static str,
    pub sent_more: &'static str,
    pub is_open: &'static str,
    pub too_many_today: &'static str,
    pub too_many_open: &'static str,
    pub not_kept: &'static str,
    pub token_over: &'static str,
    pub not_asked_for: &'static str,
    pub open_title: &'static str,
    /// With the site.
    pub open: &'static str,
    pub open_more: &'static str,
    pub nothing_title: &'static str,
    pub nothing: &'static str,
    pub for_grown_ups: &'static str,
    /// With the time.
    today: &'static str,
    tomorrow: &'static str,
    /// With the day, the month, the time.
    later: &'static str,
    months: [&'static str; 12],
}

/// Categories that children get a sentence about: those of the lists that the catalogue of public lists names.
pub const CATEGORIES: [&str; 11] = [
    "adult", "ads", "bypass", "drugs", "gambling", "malware", "mixed", "phishing", "piracy", "social", "violence",
];

/// What is shown where a browser asks for neither language.
pub const DEFAULT: Language = Language::English;

impl Language {
    #[cfg(test)]
    pub const ALL: [Language; 2] = [Language::English, Language::Russian];

    /// Of the languages of an Accept-Language field (RFC 9110 §12.5.4) the one wanted most that there is; of equal ones the first.
    pub fn wanted(field: &str) -> Language {
        let mut best = (0, DEFAULT);
        for range in field.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim();
            let language = match tag.split('-').next().unwrap_or_default() {
                primary if primary.eq_ignore_ascii_case("en") => Language::English,
                primary if primary.eq_ignore_ascii_case("ru") => Language::Russian,
                _ => continue,
            };
            let weight = weight(parts);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    pub fn words(self) -> &'static Words {
        match self {
            Language::English => &ENGLISH,
            Language::Russian => &RUSSIAN,
        }
    }
}

/// The weight among the parameters of a range, in thousandths (RFC 9110 §12.4.2); 1000 where there is none, 0 where it is none.
pub fn weight<'a>(mut parameters: impl Iterator<Item = &'a str>) -> u32 {
    let value = parameters.find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("q").then_some(value.trim())
    });
    match value.map(str::parse::<f32>) {
        None => 1000,
        // NaN is no weight either.
        Some(Ok(weight)) if (0.0..=1.0).contains(&weight) => (weight * 1000.0) as u32,
        Some(_) => 0,
    }
}

impl Words {
    /// Why sites of a category are closed; the text and, where it has a place for one, its word.
    pub fn category(&self, category: &str) -> String {
        match CATEGORIES.iter().position(|known| *known == category) {
            Some(at) => self.categories[at].to_owned(),
            None => fill(self.category, &[category]),
        }
    }

    /// A time by the clock on the wall, as seen from another: `7:00`, tomorrow, or with its date.
    pub fn time(&self, at: jiff::civil::DateTime, seen_from: jiff::civil::DateTime) -> String {
        let clock = format!("{}:{:02}", at.hour(), at.minute());
        let today = seen_from.date();
        if at.date() == today {
            return fill(self.today, &[&clock]);
        }
        if today.tomorrow().is_ok_and(|tomorrow| at.date() == tomorrow) {
            return fill(self.tomorrow, &[&clock]);
        }
        let month = usize::try_from(at.month() - 1).ok().and_then(|at| self.months.get(at));
        fill(
            self.later,
            &[&at.day().to_string(), month.copied().unwrap_or_default(), &clock],
        )
    }
}

/// A text with its places filled in, in their order. What is filled in is not looked at for places.
pub fn fill(text: &str, with: &[&str]) -> String {
    let mut with = with.iter();
    let mut pieces = text.split("{}");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        filled.push_str(with.next().copied().unwrap_or_default());
        filled.push_str(piece);
    }
    filled
}

static ENGLISH: Words = Words {
    tag: "en",
    title: "This site is closed here",
    closed: "{} does not open here.",
    no_blame: "You did nothing wrong, and nothing is broken.",
    why: "Why?",
    categories: [
        "It shows things that are made for grown-ups only.",
        "It only sends advertisements, or watches what people look at.",
        "It helps people get around the rules of this network.",
        "It is about drugs.",
        "People play for money there.",
        "It could harm your device or take what is on it.",
        "It is on a list of sites that are not for children.",
        "It pretends to be another site, to get at passwords or money.",
        "It gives away films, music or games that belong to somebody else.",
        "People talk to strangers there.",
        "It shows how people are hurt.",
    ],
    category: "It is one of the sites called “{}”, and those are closed here.",
    service: "It belongs to {}, which is closed for you.",
    window: "It is closed at this time of day. Your family calls this time “{}”.",
    pause: "The internet is taking a break.",
    quota: "The time for “{}” is used up.",
    not_among_only: "You have a list of sites that you may use, and this one is not on it yet.",
    denied: "Your family closed just this site.",
    way_around: "It helps to get around the rules of this network.",
    other: "The rules of this network say so.",
    by_law: "The law says that it must be closed.",
    by_operator: "Whoever runs this network closed it.",
    until: "It opens again: {}.",
    quota_until: "There is new time: {}.",
    now: "What now?",
    ask: "If you need it or do not understand why, talk to: {}.",
    grown_up: "a grown-up at home",
    form: "You can also ask for this site right here.",
    note: "What do you need it for? (You may leave this empty.)",
    send: "Ask for this site",
    sent: "Your question was sent.",
    sent_more: "A grown-up will see it. If the answer is yes, the site opens by itself; just try again later.",
    is_open: "You have asked for this site already. It is not decided yet.",
    too_many_today: "You have asked for many sites today. Go and talk about it, or ask again tomorrow.",
    too_many_open: "Many of your questions are not answered yet. Wait for those first.",
    not_kept: "Your question could not be kept just now. Please try again later, or go and ask.",
    token_over: "This page has become too old. Please press the button again.",
    not_asked_for: "This site cannot be asked for here.",
    open_title: "This site is not closed",
    open: "Nothing closes {} for you at the moment.",
    open_more: "Wait half a minute and try again. If this page comes back, something that the site is made of is closed. Then talk to: {}.",
    nothing_title: "This is the page of closed sites",
    nothing: "It is shown in place of sites that are closed in this network. There is nothing else here.",
    for_grown_ups: "For grown-ups",
    today: "today at {}",
    tomorrow: "tomorrow at {}",
    later: "{} {} at {}",
    months: [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
};

static RUSSIAN: Words = Words {
    tag: "ru",
    title: "Этот сайт здесь закрыт",
    closed: "Сайт {} здесь не открывается.",
    no_blame: "Ничего плохого не случилось, и ничего не сломалось: ты тут ни при чём.",
    why: "Почему?",
    categories: [
        "Там показывают то, что только для взрослых.",
        "Он только присылает рекламу или следит за тем, кто что смотрит.",
        "Он помогает обходить правила этой сети.",
        "Там речь идёт о наркотиках.",
        "Там играют на деньги.",
        "Он может навредить твоему устройству или забрать то, что на нём есть.",
        "Он есть в списке сайтов, которые не для детей.",
        "Он притворяется другим сайтом, чтобы выманить пароли или деньги.",
        "Там раздают чужие фильмы, музыку или игры.",
        "Там разговаривают с незнакомыми людьми.",
        "Там показывают, как людям делают больно.",
    ],
    category: "Он из тех сайтов, что называются «{}», а они здесь закрыты.",
    service: "Он относится к {}, а это для тебя закрыто.",
    window: "В это время он закрыт. В твоей семье это время называется «{}».",
    pause: "Сейчас в интернете перерыв.",
    quota: "Время на «{}» закончилось.",
    not_among_only: "У тебя есть список сайтов, которые можно открывать, и этого в нём пока нет.",
    denied: "Именно этот сайт закрыли в твоей семье.",
    way_around: "Он помогает обходить правила этой сети.",
    other: "Таковы правила этой сети.",
    by_law: "По закону он должен быть закрыт.",
    by_operator: "Его закрыли те, кто отвечает за эту сеть.",
    until: "Он снова откроется: {}.",
    quota_until: "Новое время появится: {}.",
    now: "Что делать?",
    ask: "Если сайт нужен или непонятно, почему он закрыт, поговори об этом. Кого спросить: {}.",
    grown_up: "кто-нибудь из взрослых дома",
    form: "Ещё можно попросить об этом сайте прямо здесь.",
    note: "Зачем он тебе? (Можно не отвечать.)",
    send: "Попросить об этом сайте",
    sent: "Твоя просьба отправлена.",
    sent_more: "Её увидит кто-нибудь из взрослых. Если ответят «да», сайт откроется сам: просто попробуй позже ещё раз.",
    is_open: "Об этом сайте просьба уже есть. Ответа пока нет.",
    too_many_today: "Сегодня было уже много просьб. Поговори со взрослыми или попроси завтра.",
    too_many_open: "На многие твои просьбы ещё не ответили. Сначала подожди ответа на них.",
    not_kept: "Сейчас просьбу не удалось сохранить. Попробуй позже или спроси взрослых.",
    token_over: "Эта страница устарела. Нажми на кнопку ещё раз.",
    not_asked_for: "Об этом сайте здесь попросить нельзя.",
    open_title: "Этот сайт не закрыт",
    open: "Сейчас {} для тебя ничем не закрыт.",
    open_more: "Подожди полминуты и попробуй ещё раз. Если снова увидишь эту страницу, значит, закрыто что-то, из чего сайт состоит. Кого спросить: {}.",
    nothing_title: "Это страница закрытых сайтов",
    nothing: "Её показывают вместо сайтов, которые закрыты в этой сети. Больше здесь ничего нет.",
    for_grown_ups: "Для взрослых",
    today: "сегодня в {}",
    tomorrow: "завтра в {}",
    later: "{} {} в {}",
    months: [
        "января",
        "февраля",
        "марта",
        "апреля",
        "мая",
        "июня",
        "июля",
        "августа",
        "сентября",
        "октября",
        "ноября",
        "декабря",
    ],
};

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    impl Words {
        fn all(&self) -> Vec<&'static str> {
            let mut all = vec![
                self.title,
                self.closed,
                self.no_blame,
                self.why,
                self.category,
                self.service,
                self.window,
                self.pause,
                self.quota,
                self.not_among_only,
                self.denied,
                self.way_around,
                self.other,
                self.by_law,
                self.by_operator,
                self.until,
                self.quota_until,
                self.now,
                self.ask,
                self.grown_up,
                self.form,
                self.note,
                self.send,
                self.sent,
                self.sent_more,
                self.is_open,
                self.too_many_today,
                self.too_many_open,
                self.not_kept,
                self.token_over,
                self.not_asked_for,
                self.open_title,
                self.open,
                self.open_more,
                self.nothing_title,
                self.nothing,
                self.for_grown_ups,
                self.today,
                self.tomorrow,
                self.later,
            ];
            all.extend(self.categories);
            all.extend(self.months);
            all
        }
    }

    #[test]
    fn both_languages_say_the_same_things_with_the_same_places_in_them() {
        let [english, russian] = Language::ALL.map(|language| language.words().all());
        assert_eq!(english.len(), russian.len());
        for (english, russian) in english.iter().zip(&russian) {
            assert!(!english.is_empty() && !russian.is_empty());
            let places = |text: &str| text.matches("{}").count();
            assert_eq!(places(english), places(russian), "{english:?} {russian:?}");
            assert!(russian.contains(|c: char| ('а'..='я').contains(&c)), "{russian}");
            assert!(english.is_ascii() || english.contains(['“', '”']), "{english}");
            for text in [english, russian] {
                assert!(!text.contains(['<', '>', '&']), "{text}");
            }
        }
    }

    #[test]
    fn the_language_that_is_wanted_most_is_the_page_s_if_it_is_one_of_its() {
        let (english, russian) = (Language::English, Language::Russian);
        for (field, language) in [
            ("ru-RU,ru;q=0.9,en-US;q=0.8,en;q=0.7", russian),
            ("RU", russian),
            ("de,fr;q=0.5", english),
            ("de,ru;q=0.1", russian),
            ("en;q=0.3, ru;q=0.4", russian),
            ("en,ru", english),
            ("ru;q=0", english),
            ("ru;q=nan, ru;q=2, ru;q=-1, ru;q=x", english),
            ("rus, run", english),
            ("*", english),
            ("", english),
        ] {
            assert_eq!(Language::wanted(field), language, "{field}");
        }
    }

    #[test]
    fn a_category_of_the_family_s_own_is_called_by_its_word() {
        for language in Language::ALL {
            let words = language.words();
            assert!(words.category("adult").len() > 20 && !words.category("adult").contains("adult"));
            assert!(words.category("homework").contains("homework"));
        }
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        let now = date(2026, 12, 31).at(21, 30, 0, 0);
        let said = |language: Language, at| language.words().time(at, now);
        for (at, english, russian) in [
            (date(2026, 12, 31).at(22, 5, 0, 0), "today at 22:05", "сегодня в 22:05"),
            (date(2027, 1, 1).at(7, 0, 0, 0), "tomorrow at 7:00", "завтра в 7:00"),
            (date(2027, 1, 4).at(4, 0, 0, 0), "4 January at 4:00", "4 января в 4:00"),
        ] {
            assert_eq!(
                (said(Language::English, at), said(Language::Russian, at)),
                (english.to_owned(), russian.to_owned())
            );
        }
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        assert_eq!(fill("a {} b {}", &["{}", "x"]), "a {} b x");
        assert_eq!(fill("a {}", &[]), "a ");
    }
}
