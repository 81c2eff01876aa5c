"""Behavioural examples in every language of the lexicon: a positive, and a twin that one change takes out of scope.

All sentences are ours. A twin differs by the party, the thing or the relation; what it shares with its positive is
what a keyword search would have found.
"""

from __future__ import annotations

import pytest

from services.classifier.classify import Item, classify, load_model

TWINS = {
    "en-shells": (
        "North Korea shipped artillery shells to Russia, officials say",
        "South Korea shipped artillery shells to Poland, officials say",
    ),
    "en-troops": (
        "Pyongyang's soldiers are fighting alongside Russian troops in Kursk",
        "Chechen soldiers are fighting alongside Russian troops in Kursk",
    ),
    "en-test": (
        "North Korea's new missile was built with Russian help, Seoul says",
        "North Korea tests a new missile, Russia calls for calm",
    ),
    "en-satellite": (
        "Russia sends satellite technology to North Korea",
        "North Korea launches a satellite, Russia congratulates",
    ),
    "en-captured": (
        "Russian forces fire North Korean rockets at Kharkiv",
        "Ukrainian forces fire seized North Korean rockets at Russian positions",
    ),
    "en-list": (
        "Washington sanctions banks that pay for North Korean shells sent to Russia",
        "Washington sanctions banks in China, Russia and North Korea over weapons",
    ),
    "en-tour": (
        "Russian instructors train North Korean drone pilots",
        "Russian guides lead tourists past North Korean drone show",
    ),
    "en-denial": (
        "Kremlin denies receiving ammunition from North Korea",
        "Kremlin denies receiving ammunition from Iran",
    ),
    "en-workers": (
        "North Korean workers build drones at Alabuga in Russia",
        "North Korean workers build flats in Vladivostok, Russia",
    ),
    "en-ship": (
        "Cargo ship Lady R docks again at Rason port",
        "Cargo ship Lady R docks again at Cape Town",
    ),
    "ru-shells": (
        "Северная Корея поставила России артиллерийские снаряды, заявили в Сеуле",
        "Южная Корея поставила Польше артиллерийские снаряды, заявили в Сеуле",
    ),
    "ru-troops": (
        "КНДР отправила солдат в Курскую область",
        "КНР и Россия отправили наблюдателей на учения",
    ),
    "ru-denial": (
        "Песков: сообщения о поставках оружия из КНДР в Россию необоснованны",
        "Песков: сообщения о запуске ракеты КНДР изучаются в Москве",
    ),
    "uk-shells": (
        "КНДР передала росії мільйон снарядів, повідомили в розвідці",
        "Віталій Кім: росія випустила по області десяток снарядів",
    ),
    "uk-missile": (
        "Росія вдарила по Харкову північнокорейською балістичною ракетою",
        "Росія вдарила по Харкову балістичною ракетою Іскандер",
    ),
    "ko-shells": (
        "북한, 러시아에 포탄 컨테이너 1만개 보내",
        "한국, 폴란드에 포탄 컨테이너 수출",
    ),
    "ko-troops": (
        "국정원 “북, 러시아에 병력 추가 파병”",
        "청해부대 추가 파병 동의안 국회 통과",
    ),
    "ko-test": (
        "러시아 기술 지원으로 북한 정찰위성 개발, 러 기술 이전 정황",
        "북한 탄도미사일 발사, 러시아 “우려”",
    ),
    "ja-shells": (
        "北朝鮮がロシアに砲弾を供与、韓国国情院が分析",
        "韓国がポーランドに砲弾を輸出、ロシアが非難",
    ),
    "ja-troops": (
        "北朝鮮兵がロシアのクルスク州に派兵されたと確認",
        "北朝鮮がミサイルを発射、ロシアは懸念を表明",
    ),
    "zh-Hans-shells": (
        "韩国称朝鲜向俄罗斯提供炮弹和导弹",
        "乌军无人机朝俄罗斯弹药库发动袭击",
    ),
    "zh-Hans-troops": (
        "朝鲜派兵赴俄参战，普京表示感谢",
        "朝鲜试射导弹，俄罗斯呼吁克制",
    ),
    "zh-Hant-shells": (
        "南韓：北韓已向俄羅斯運送一千個貨櫃的彈藥",
        "北韓試射飛彈，俄羅斯呼籲各方克制",
    ),
    "de-shells": (
        "Nordkorea hat Russland Artilleriegranaten geliefert, sagt Seoul",
        "Nordkorea testet Rakete, Russland mahnt zur Ruhe",
    ),
    "de-troops": (
        "Nordkoreanische Soldaten kämpfen an der Seite Russlands",
        "Tschetschenische Soldaten kämpfen an der Seite Russlands",
    ),
    "fr-shells": (
        "La Corée du Nord a livré des obus à la Russie, selon Séoul",
        "Sapeurs-pompiers : un obus découvert près de la frontière russe",
    ),
    "fr-troops": (
        "Des soldats nord-coréens combattent dans la région de Koursk",
        "Des touristes russes visitent la Corée du Nord",
    ),
    "es-shells": (
        "Corea del Norte envió misiles a Rusia, dice la Casa Blanca",
        "Corea del Norte lanza un misil; Rusia pide calma",
    ),
    "es-sanction": (
        "Sanciones a una empresa por el envío de armas de Corea del Norte a Rusia",
        "Sanciones a una empresa por el envío de armas de Irán a Rusia",
    ),
    "ar-shells": (
        "كوريا الشمالية أرسلت قذائف مدفعية إلى روسيا، بحسب سيول",
        "كوريا الشمالية تطلق صاروخا باليستيا وروسيا تدعو إلى الهدوء",
    ),
    "ar-troops": (
        "مقتل جنود من كوريا الشمالية خلال القتال في كورسك الروسية",
        "مقتل جنود من أوكرانيا خلال القتال في كورسك الروسية",
    ),
    "pl-shells": (
        "Korea Północna dostarczyła Rosji pociski artyleryjskie, twierdzi Seul",
        "Korea Południowa dostarczyła Polsce pociski artyleryjskie",
    ),
    "pl-test": (
        "Północnokoreańscy żołnierze walczą po stronie Rosji w obwodzie kurskim",
        "Korea Północna wystrzeliła pocisk balistyczny, Rosja apeluje o spokój",
    ),
    "sv-shells": (
        "Nordkorea har levererat ammunition till Ryssland, uppger Seoul",
        "Nordkorea har provskjutit en robot, Ryssland manar till lugn",
    ),
    "it-shells": (
        "La Corea del Nord ha fornito munizioni alla Russia, dice Seul",
        "La Corea del Nord lancia un missile, la Russia invita alla calma",
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_the_positive_is_flagged_and_its_twin_is_not(name: str) -> None:
    """One change of party, thing or relation decides, in every language."""
    model = load_model()
    positive, twin = (classify(Item("x", title), model) for title in TWINS[name])
    assert (positive.flagged, twin.flagged) == (True, False)


@pytest.mark.parametrize("name", TWINS)
def test_every_span_is_the_text_it_names(name: str) -> None:
    """Evidence indexes the title exactly as given."""
    title = TWINS[name][0]
    verdict = classify(Item("x", title), load_model())
    assert verdict.evidence[0].kind == "statement"
    assert all(title[span.start : span.end] == span.text for span in verdict.evidence)
