//! Lines are edited with the keys of vi (POSIX sh, "Command Line Editing (vi-mode)").

mod person;

use person::{LINE_DONE, Person};

/// Lines with their keys, and what they come to write.
fn all(name: &str, lines: &[(&str, &str)]) {
    let mut p = Person::new(name, "xterm");
    p.runs("set -o vi\r", LINE_DONE);
    for (keys, written) in lines {
        p.runs(&format!("{keys}\r"), &format!("\n{written}\r\n"));
    }
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn motions_lead_where_vi_has_them() {
    all(
        "vi-motions",
        &[
            ("echo abc\x1bhix", "axbc"),
            ("cho 0\x1b0ie", "0"),
            ("echo foo bar\x1b0wea!", "foo! bar"),
            ("echo foo-bar baz\x1b0wWrX", "foo-bar Xaz"),
            ("echo foo-bar baz\x1b0wwwrX", "foo-Xar baz"),
            ("echo foo-bar\x1bbrX", "foo-Xar"),
            ("echo foo-bar\x1bBrX", "Xoo-bar"),
            ("echo foo-bar a\x1b0wErX", "foo-baX a"),
            ("echo abc\x1b6|x", "bc"),
            ("  echo abc\x1b^iecho ", "echo abc"),
            ("echo abc\x1b0$x", "ab"),
            ("echo abc\x1b05lrX", "Xbc"),
            ("echo abcd\x1b2hrX", "aXcd"),
            ("echo aXbXc\x1b0fX;rY", "aXbYc"),
            ("echo aXbXc\x1b0fX;,rY", "aYbXc"),
            ("echo aXbXc\x1b02fXrY", "aXbYc"),
            ("echo a-b-c\x1b0t-x", "-b-c"),
            ("echo a-b-c\x1bT-irX\x1b", "a-b-rXc"),
            ("echo a-b-c\x1bF-r+", "a-b+c"),
            ("echo a-b-c\x1b0t-;x", "a--c"),
            ("echo 漢字é\x1bhx", "漢é"),
            ("echo ab\x1b[D\x1b[DX", "Xab"),
            ("echo ab\x1bh\x1b[CrX", "aX"),
        ],
    );
}

#[test]
fn operators_and_puts_change_the_line() {
    all(
        "vi-operators",
        &[
            ("echo one two\x1bbcwthree", "one three"),
            ("echo one two\x1b0wcwX", "X two"),
            ("echo a b c\x1b0wcwX", "X b c"),
            ("echo one two three\x1b0wc2wX", "X three"),
            ("echo foo-bar x\x1b0wcWX", "X x"),
            ("echo a b c d\x1b2bdw", "a c d"),
            ("echo a b c d\x1b0wd2w", "c d"),
            ("echo a b c d\x1b0w2dw", "c d"),
            ("echo one two\x1bbdwa!", "one !"),
            ("echo one two three\x1b0wwD", "one"),
            ("echo one two\x1b0wd$aX", "X"),
            ("echo one two\x1bbdbP", "one two"),
            ("echo one two\x1b0wdfe", "two"),
            ("echo one two\x1b0wdtoa-", "o-"),
            ("junk\x1bccecho ok", "ok"),
            ("junk\x1bSecho ok", "ok"),
            ("echo abc\x1b0wCok", "ok"),
            ("echo abc\x1bsX", "abX"),
            ("echo abcd\x1b0w2sX", "Xcd"),
            ("echo abcd\x1bXX", "ad"),
            ("echo abcd\x1b0w3x", "d"),
            ("echo ab\x1bhxp", "ba"),
            ("echo ab\x1b0wyw$p", "abab"),
            ("echo ab\x1b0wy$$2p", "ababab"),
            ("ab\x1byy0iecho \x1bp", "abab"),
            ("echo ab\x1b0wYP", "abab"),
            ("echo abc\x1b0w3~", "ABC"),
            ("echo abc\x1b0w~~x", "AB"),
            ("echo abcd\x1b0w2rX", "XXcd"),
            ("echo abcdef\x1b0wRXY\x1bx", "Xcdef"),
            ("echo abcdef\x1b0wRXYZ\x7f\x7f\x1b", "Xbcdef"),
            ("echo ab\x1bAc\x1bIecho \x1b", "echo abc"),
            ("echo a\x16\x01b\x1b", "a\u{1}b"),
        ],
    );
}

#[test]
fn changes_are_undone_and_repeated() {
    all(
        "vi-changes",
        &[
            ("echo one two\x1b0wdwu", "one two"),
            ("echo one two three\x1b0wdwdwuu", "one two three"),
            ("echo one two three\x1b0wxxxU0iecho back", "back"),
            ("echo aaaa\x1b0wx..", "a"),
            ("echo abcdef\x1b0w2x.", "ef"),
            ("echo abcdefgh\x1b0wx3.", "efgh"),
            ("echo one two three\x1b0wcwX\x1bw.", "X X three"),
            // By the line before this one.
            ("echo one two\x1b.", "one twX"),
            ("echo a\x1baxyz\x1b.", "axyzxyz"),
            ("echo abc\x1b0w~.", "ABc"),
            ("echo ab\x1bx\x1bPA\x1b]4;1;rgb:cdcd/0000/0000\x1b\\!", "ba!"),
            ("echo abab\x1b0wra..", "abab"),
        ],
    );
}

#[test]
fn the_history_is_walked_and_searched() {
    all(
        "vi-history",
        &[
            ("echo first one", "first one"),
            ("echo second", "second"),
            ("\x1bk", "second"),
            ("\x1bkk", "first one"),
            ("\x1b3kjj", "first one"),
            ("echo kept\x1bkj", "kept"),
            ("\x1b/sec\r", "second"),
            ("\x1b/f*t\r", "first one"),
            ("\x1b/^echo [sk]\r", "second"),
            ("\x1b/echo\rnn", "second"),
            ("\x1b/echo\rnN", "second"),
            ("\x1b/nowhere\raecho none", "none"),
            ("\x1b3G", "second"),
            ("echo last \x1b_", "last second"),
            ("echo one two three", "one two three"),
            ("echo it \x1b2_", "it one"),
        ],
    );
}

#[test]
fn words_lines_and_aliases_are_expanded() {
    let mut p = Person::new("vi-words", "xterm");
    p.runs("set -o vi\r", LINE_DONE).runs("touch b1 b2; echo made\r", "\nmade\r\n");
    p.runs("echo b\x1b*\r", "\nb1 b2\r\n").runs("cat a\x1b\\\r", "\ncontents\r\n");
    p.types("echo b\x1b=", "b1  b2").runs("A2\r", "\nb2\r\n");
    p.runs("echo no\x1b#", LINE_DONE).runs("\x1bkx\r", "\nno\r\n");
    p.runs("alias _h='0cwecho'\r", LINE_DONE).runs("xxxx hi\x1b@h\r", "\nhi\r\n");
    p.runs("VISUAL='sed -i s/two/four/'\r", LINE_DONE).runs("echo two\x1bv", "\necho four\r\nfour\r\n");
    p.runs("echo two two\r", "\ntwo two\r\n").runs("\x1b/echo two\rv", "\necho four two\r\nfour two\r\n");
    // A lone Escape, and nothing but it for a while.
    p.types("echo abc", "abc").types("\x1b", "");
    std::thread::sleep(std::time::Duration::from_millis(120));
    p.runs("x\r", "\nab\r\n");
    p.runs("echo gone\x1b\x03", "^C").runs("echo here\r", "\nhere\r\n");
    p.runs("set -o emacs; echo $-\r", "im").runs("ech one\x01\x1b[C\x1b[C\x1b[Co\r", "\none\r\n");
    p.runs("set -o vi\r", LINE_DONE).runs("set -o | grep -E '^(vi|emacs)'\r", "emacs");
    assert_eq!(p.ends("\x04"), (0, true));
}
