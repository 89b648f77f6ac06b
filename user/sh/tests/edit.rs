//! Lines are edited with the keys of emacs, and what comes out has to show the right thing.

mod person;

use person::{LINE_DONE, Person};

const LEFT: &str = "\x1b[D";
const UP: &str = "\x1b[A";

#[test]
fn keys_move_and_change_the_line() {
    let mut p = Person::new("keys", "xterm");
    p.runs("echo plain\r", "\r\nplain\r\n");
    p.runs("\x15ech one\x01\x1b[C\x1b[C\x1b[Co\x05 two\r", "\none two\r\n");
    p.runs(&format!("echo ac{LEFT}b\r"), "\nabc\r\n");
    p.runs(&format!("echo 漢é字{LEFT}{LEFT}\x7f-\r"), "\n-é字\r\n");
    p.runs("echo one two three\x17\x17\x19!\r", "\none two three!\r\n");
    p.runs("echo gone\x15echo kept\r", "\nkept\r\n");
    p.runs("rest\x01echo \x0b\x19 back\r", "\n");
    assert_eq!(p.ends("exit 3\r"), (3, true));
}

#[test]
fn long_lines_wrap_and_stay_whole() {
    let mut p = Person::new("long", "xterm");
    let text = "0123456789".repeat(12);
    p.runs(&format!("echo {text}\x01\x05!\r"), &format!("\n{text}!\r\n"));
    p.runs(&format!("echo {text}{}X\r", LEFT.repeat(115)), &format!("\n{}X{}\r\n", &text[..5], &text[5..]));
    assert_eq!(p.ends("\x04"), (0, true));
}

#[test]
fn what_a_terminal_answers_is_no_text() {
    let mut p = Person::new("answers", "xterm");
    // A colour, in both ways to end a string; a setting; its version; the name of a picture; cursor, kind, focus.
    for answer in [
        "\x1b]10;rgb:ffff/ffff/ffff\x07",
        "\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
        "\x1bP1$r0;1m\x1b\\",
        "\x1bP>|xterm(390)\x1b\\",
        "\x1b_Gi=31;OK\x1b\\",
        "\x1b[12;40R",
        "\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c",
        "\x1b[>41;390;0c",
        "\x1b[?2026;2$y",
        "\x1b[I\x1b[[A\x1b[15~",
    ] {
        p.runs(&format!("echo a{answer}b\r"), "\nab\r\n");
    }
    // Keys with Alt, and what is typed behind them; Alt-_ inserts the last word of the line before.
    for key in ["]", "P", "X", "^", "é"] {
        p.types(&format!("echo a\x1b{key}"), "a");
        std::thread::sleep(std::time::Duration::from_millis(150));
        p.runs("b\r", "\nab\r\n");
    }
    p.runs("echo a\x1b]b\r", "\nab\r\n").runs("echo a\x1bP1;2\x03", "^C").runs("echo c\x1b_ d\r", "\ncab d\r\n");
    assert_eq!(p.ends("\x04"), (0, true));
}

#[test]
fn the_history_is_walked_searched_and_kept() {
    let mut p = Person::new("history", "xterm");
    p.runs("echo first\r", "\nfirst\r\n").runs("echo second\r", "\nsecond\r\n");
    p.runs(&format!("{UP}{UP}\r"), "\nfirst\r\n");
    p.runs("\x12sec\r", "\nsecond\r\n");
    p.runs("\x12nowhere\x07echo after\r", "\nafter\r\n");
    let home = p.home.clone();
    assert_eq!(p.ends("exit\r"), (0, true));
    let kept = std::fs::read_to_string(home.join(".sh_history")).unwrap();
    assert!(kept.starts_with("echo first\necho second\necho first\n"), "{kept}");
}

#[test]
fn fc_lists_edits_and_runs_again() {
    let mut p = Person::new("fc", "xterm");
    p.runs("echo one\r", "\none\r\n").runs("echo two\r", "\ntwo\r\n");
    p.runs("fc -l\r", "\n1\techo one\r\n2\techo two\r\n");
    p.runs("fc -nlr 1 2\r", "\n\techo two\r\n\techo one\r\n");
    p.runs("fc -s one=three 1\r", "\necho three\r\nthree\r\n");
    p.runs("fc -s\r", "\necho three\r\nthree\r\n");
    p.runs("fc -s nothing\r", "no such command");
    p.runs("fc -e 'sed -i s/two/four/' 'echo two'\r", "\necho four\r\nfour\r\n");
    p.runs("fc -e false -2\r", LINE_DONE).runs("echo $?\r", "\n1\r\n");
    p.runs("history\r", "1\techo one\r\n2\techo two\r\n3\tfc -l\r\n");
    p.runs("fc -ln 1 2 | cat; x=$(fc -ln 1); echo \"$x\"\r", "\n\techo one\r\n\techo two\r\n\techo one\r\n");
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn tab_completes_commands_files_and_variables() {
    let mut p = Person::new("tab", "xterm");
    p.runs("unali\t-a; echo done\r", "\ndone\r\n");
    p.runs("cat a\t\r", "\ncontents\r\n");
    p.runs("cd d\t\recho ${PWD##*/}\r", "\ndirectory\r\n").runs("cd ..\r", LINE_DONE);
    p.runs("export LONGNAME=value; echo\r", "\n\r\n").runs("echo $LONGN\t\r", "\nvalue\r\n");
    p.runs("touch b1 b2; echo\r", "\n\r\n").types("echo b\t\t", "b1  b2").runs("2\r", "\nb2\r\n");
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn tab_leaves_what_stands_before_a_name_as_it_was_typed() {
    let mut p = Person::new("odd-names", "xterm");
    p.runs("cd directory; D=$HOME/directory; mkdir 's d'; echo $?\r", "\n0\r\n");
    p.runs(
        "for f in '$x' '~t' 'n\rl' \"s d/it's\" 's d/\"$q\"' 's d/#z'; do echo \"${f##*/}\" >\"$f\"; done; echo $?\r",
        "\n0\r\n",
    );
    for (keys, written) in [
        ("cat \\$\t", "$x"),
        ("cat '$\t", "$x"),
        ("cat \\~\t", "~t"),
        ("cat n\t", "n\r\nl"),
        ("cat s\ti\t", "it's"),
        ("cat 's \ti\t", "it's"),
        ("cat \"s \ti\t", "it's"),
        ("cat \"$D/s \t\\\"\t", "\"$q\""),
        ("cat $D/s\t#\t", "#z"),
        ("cat ${D}/'s \t#\t", "#z"),
        ("cat ~/dir\ts\t#\t", "#z"),
        ("(F=s\t#\t; cat \"$F\")", "#z"),
        ("echo of=s\ti\t|cat", "of=s d/it's"),
        ("echo x$D\t", &format!("x{}/", p.home.join("directory").display())),
        ("echo \"${TER\t\"", "xterm"),
        ("echo \"$(prin\tf %s $D)\"", &p.home.join("directory").display().to_string()),
    ] {
        p.runs(&format!("{keys}\r"), &format!("\n{written}\r\n"));
    }
    // Whoever named them does nothing to the terminal.
    p.runs("touch \"$(printf 'y\\033[31m')\" yy\r", LINE_DONE);
    p.types("echo y\t\t", "y^[[31m  yy\r\n").runs("\x03", "^C");
    assert_eq!(p.ends("exit 0\r"), (0, true));
}

#[test]
fn control_keys_end_lines_and_pastes_wait() {
    let mut p = Person::new("control", "xterm");
    p.runs("echo not this\x03", "^C").runs("echo $?\r", "\n130\r\n");
    p.types("\x1b[200~echo p1\necho p2\n\x1b[201~", "echo p2");
    assert!(!p.seen.contains("\np1\r\n"), "a paste ran by itself");
    p.runs("\r", "p1\r\np2\r\n");
    p.runs("for i in 1 2\rdo echo $i\rdone\r", "\n1\r\n2\r\n");
    p.types("for i in 1 2\r", "> ").types("do echo $i\r", "> ").runs("\x03", "^C");
    p.types("sh -c 'echo on; exec sleep 20'\r", "\non\r\n").runs("\x03", "^C").runs("echo back\r", "\nback\r\n");
    p.types("cat\r", LINE_DONE).types("typed\r", "typed\r\ntyped\r\n").types("\x04", "% ").runs("echo $-\r", "\nim");
    p.runs("kill $$; echo alive\r", "\nalive\r\n");
    assert_eq!(p.ends("\x04"), (0, true));
}

#[test]
fn no_interrupt_is_lost_between_the_line_and_its_program() {
    let mut p = Person::new("interrupt", "xterm");
    for i in 0..100 {
        p.types("sleep 30\r", LINE_DONE);
        std::thread::sleep(std::time::Duration::from_micros(i % 8 * 60));
        p.runs("\x03", "^C");
    }
    assert_eq!(p.ends("exit 0\r"), (0, true));
}

#[test]
fn jobs_stop_and_go_on_wherever_they_began() {
    let mut p = Person::new("jobs", "xterm");
    // One that began behind has to hear the keys when it is in front.
    p.runs("sleep 20 & sleep 21 & echo started\r", "started\r\n");
    p.types("fg %1\r", "\nsleep 20\r\n").runs("\x1a", "\n[1] + Stopped").runs("bg\r", "[1] sleep 20");
    p.types("fg %2\r", "\nsleep 21\r\n").runs("\x03", "^C").runs("kill %1; wait; echo gone\r", "\ngone\r\n");
    // What the person ignores, children do, too.
    p.runs("trap '' INT\r", LINE_DONE);
    p.types("sh -c 'echo on; sleep 0.5; echo survived'\r", "\non\r\n").runs("\x03", "survived");
    assert_eq!(p.ends("exit\r"), (0, true));
}

#[test]
fn without_a_terminal_that_can_the_kernel_edits() {
    for (term, first) in [("dumb", "echo a\r"), ("xterm", "set +o emacs\r")] {
        let mut p = Person::new(&format!("plain-{term}"), term);
        p.runs(first, "\n").runs("echo c\r", "\nc\r\n").runs("echo b\r", "echo b\r\nb\r\n");
        assert!(!p.seen.contains('\x1b'), "{:?}", p.seen);
        assert_eq!(p.ends("\x04"), (0, true));
    }
}
