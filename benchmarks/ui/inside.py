"""What runs inside the page to measure it: JavaScript, as texts."""

from __future__ import annotations

# From a press to the second frame after it: everything that the press changes is drawn by then.
PRESS = """async (name) => {
    const button = [...document.querySelectorAll(".chart-toolbar button")].find((each) => each.textContent === name);
    const begin = performance.now();
    button.click();
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    return performance.now() - begin;
}"""
# The time between frames, as long as the page lives.
WATCH_FRAMES = """() => {
    window.frames_ = [];
    let before = performance.now();
    const beat = () => {
        const now = performance.now();
        window.frames_.push(now - before);
        before = now;
        requestAnimationFrame(beat);
    };
    requestAnimationFrame(beat);
}"""
SCROLL = """async (seconds) => {
    const long = (each) => each.scrollHeight > 5 * each.clientHeight && each.clientHeight > 200;
    const box = [...document.querySelectorAll("*")].find(long);
    const found = { frames: [], blank: 0, longest: 0, height: box.scrollHeight };
    const begin = performance.now();
    let before = begin, since = null;
    while (performance.now() - begin < seconds * 1000) {
        box.scrollTop += 400 + (Math.random() < 0.02 ? box.scrollHeight / 3 : 0);
        if (box.scrollTop + box.clientHeight >= box.scrollHeight - 10) box.scrollTop = 0;
        await new Promise(requestAnimationFrame);
        const now = performance.now();
        found.frames.push(now - before);
        before = now;
        const rows = [...box.querySelectorAll("[role=row]")];
        const seen = rows.filter((row) => {
            const at = row.getBoundingClientRect();
            return at.bottom > 60 && at.top < innerHeight;
        });
        const blank = seen.length < 5;
        const coming = seen.filter((row) => row.querySelector(".coming")).length;
        if (coming > 0) found.blank++;
        if (blank) since ??= now; else since = null;
        if (since !== null) found.longest = Math.max(found.longest, now - since);
    }
    return found;
}"""
# Goes to a place; `window.seen` is when thirty cards and more have drawn what they asked for.
CARDS = """(place) => {
    const drawn = (card) => card.getAttribute("aria-busy") === "false" && card.querySelector("canvas");
    window.seen = new Promise((done) => {
        const look = () => {
            const cards = [...document.querySelectorAll("article")];
            if (cards.length < 30 || !cards.every(drawn)) return requestAnimationFrame(look);
            requestAnimationFrame(() => done(performance.now()));
        };
        look();
    });
    window.begin = performance.now();
    location.hash = place;
}"""
# From the opening on: `window.seen` is when the cards in view, three and more, have drawn what they asked for.
OPENED = """
    const drawn = (card) => card.getAttribute("aria-busy") === "false" && card.querySelector("canvas");
    window.seen = new Promise((done) => {
        const look = () => {
            const inView = (card) => card.getBoundingClientRect().top < innerHeight;
            const cards = [...document.querySelectorAll("article")].filter(inView);
            if (cards.length < 3 || !cards.every(drawn)) return requestAnimationFrame(look);
            requestAnimationFrame(() => done(performance.now()));
        };
        look();
    });
"""
# When the last answer with curves was there.
ARRIVED = """() => {
    const answers = performance.getEntriesByType("resource").filter((each) => each.name.includes("/buckets"));
    return Math.max(...answers.map((each) => each.responseEnd));
}"""
