/* termios(3): POSIX 11.1 and 11.2, and what Linux adds. */
#include "terminal.h"

/* What a reader gets of some keys, and what is shown. */
static int line(const char *keys, const char *read, const char *shown) {
    return type(keys) && comes(s, read) && comes(m, shown);
}
TEST(canonical_mode_edits_lines) {
    CHECK(fresh(0, 0));
    CHECK(line("ab\177c\n", "ac\n", "ab\b \bc\r\n"));
    CHECK(line("abc\025d\n", "d\n", "abc\b \b\b \b\b \bd\r\n"));
    CHECK(line("\177\177x\n", "x\n", "x\r\n"));
}
TEST(words_are_erased_backwards) {
    CHECK(fresh(0, 0));
    CHECK(line("a bc  \027d\n", "a d\n", "a bc  \b \b\b \b\b \b\b \bd\r\n"));
    CHECK(line("a.b\027\027\n", "\n", "a.b\b \b\b \b\b \b\r\n"));
    CHECK(line("one_two\027x\n", "x\n", "one_two\b \b\b \b\b \b\b \b\b \b\b \b\b \bx\r\n"));
}
TEST(the_next_character_is_literal_after_its_key) {
    CHECK(fresh(0, 0));
    CHECK(line("\026\003a\026\026\n", "\003a\026\n", "^\b^Ca^\b^V\r\n"));
    CHECK(line("a\026\177b\n", "a\177b\n", "a^\b^?b\r\n"));
}
TEST(a_line_is_shown_again) {
    CHECK(fresh(0, 0));
    CHECK(line("ab\022c\n", "abc\n", "ab^R\r\nabc\r\n"));
}
TEST(control_characters_are_shown_with_a_caret) {
    CHECK(fresh(0, 0) && line("\001\177b\n", "b\n", "^A\b \b\b \bb\r\n"));
    CHECK(line("a\tb\n", "a\tb\n", "a\tb\r\n"));
    CHECK(fresh(0, ECHOCTL) && line("\001b\n", "\001b\n", "\001b\r\n"));
}
TEST(the_echo_can_be_off) {
    CHECK(fresh(0, ECHO) && line("secret\n", "secret\n", ""));
    CHECK(fresh(ECHONL, ECHO) && line("secret\n", "secret\n", "\r\n"));
    CHECK(fresh(0, ECHOE) && line("ab\177\n", "a\n", "ab^?\r\n"));
    CHECK(fresh(0, ECHOKE | ECHOE) && line("ab\025c\n", "c\n", "ab^U\r\nc\r\n"));
}
TEST(erasing_takes_whole_characters_with_IUTF8) {
    CHECK(fresh(0, 0) && set_io(ICRNL | IUTF8, OPOST | ONLCR));
    CHECK(line("a\303\244\177b\n", "ab\n", "a\303\244\b \bb\r\n"));
    CHECK(fresh(0, 0) && set_io(ICRNL, OPOST | ONLCR));
    CHECK(line("a\303\244\177\n", "a\303\n", "a\303\244\b \b\r\n"));
}
TEST(the_end_of_file_key_ends_a_read) {
    char b[8];
    CHECK(fresh(0, 0) && type("ab\004\004"));
    CHECK(read(s, b, sizeof b) == 2 && memcmp(b, "ab", 2) == 0);
    SAME(read(s, b, sizeof b), 0);
    CHECK(line("c\n", "c\n", "abc\r\n"));
}
TEST(other_characters_may_end_lines) {
    CHECK(fresh(0, 0) && set_cc(VEOL, ';') && set_cc(VEOL2, '!'));
    char b[8];
    CHECK(type("a;b!c\n") && read(s, b, sizeof b) == 2 && memcmp(b, "a;", 2) == 0);
    CHECK(read(s, b, sizeof b) == 2 && memcmp(b, "b!", 2) == 0 && comes(s, "c\n"));
}
TEST(a_read_takes_a_part_of_a_line) {
    char b[8];
    CHECK(fresh(0, 0) && type("abcd\nef\n") && read(s, b, 3) == 3 && memcmp(b, "abc", 3) == 0);
    CHECK(read(s, b, sizeof b) == 2 && memcmp(b, "d\n", 2) == 0 && read(s, b, sizeof b) == 3);
}
TEST(input_is_mapped) {
    CHECK(fresh(0, ECHO) && line("a\r", "a\n", ""));
    CHECK(set_io(INLCR, 0) && set_cc(VEOL, '\r') && line("a\n", "a\r", ""));
    CHECK(set_io(IGNCR, 0) && line("a\rb\n", "ab\n", ""));
    CHECK(set_io(ISTRIP, 0) && line("\341\n", "a\n", ""));
}
TEST(output_is_mapped) {
    CHECK(fresh(0, 0) && set_io(ICRNL, OPOST | ONLCR));
    CHECK(write(s, "a\nb", 3) == 3 && comes(m, "a\r\nb"));
    CHECK(set_io(0, ONLCR) && write(s, "a\n", 2) == 2 && comes(m, "a\n"));
    CHECK(set_io(0, OPOST | OCRNL) && write(s, "a\rb", 3) == 3 && comes(m, "a\nb"));
    CHECK(set_io(0, OPOST | ONOCR | ONLRET) && write(s, "\n\ra\r", 4) == 4 && comes(m, "\na\r"));
    CHECK(set_io(0, OPOST | TAB3 | ONLCR) && write(s, "\nab\tc", 5) == 5 && comes(m, "\r\nab      c"));
}
TEST(raw_reads_wait_for_VMIN_bytes) {
    char b[8];
    CHECK(raw(3, 0) && type("ab"));
    pid_t pid = fork();
    if (pid == 0) {
        pause_ms(60);
        MUST(type("cd"));
        _exit(0);
    }
    long long before = now_ms();
    ssize_t n = read(s, b, sizeof b);
    CHECK(n >= 3 && now_ms() - before >= 40);
    SAME(end_of(pid), 0);
    /* No more than fit. */
    CHECK(raw(5, 0) && type("ab") && read(s, b, 2) == 2);
}
TEST(raw_reads_wait_for_VTIME) {
    char b[8];
    CHECK(raw(0, 2));
    long long before = now_ms();
    SAME(read(s, b, sizeof b), 0);
    CHECK(now_ms() - before >= 190);
    CHECK(type("x") && read(s, b, sizeof b) == 1);
    /* From one byte to the next. */
    CHECK(raw(8, 1) && type("xy"));
    before = now_ms();
    SAME(read(s, b, sizeof b), 2);
    CHECK(now_ms() - before >= 60);
    /* What is there. */
    CHECK(raw(0, 0));
    SAME(read(s, b, sizeof b), 0);
    CHECK(type("z") && (pause_ms(20), read(s, b, sizeof b)) == 1);
}
TEST(raw_mode_and_back_loses_nothing) {
    struct termios t, old;
    CHECK(fresh(0, ECHO) && type("a\nb") && (pause_ms(20), tcgetattr(s, &old)) == 0);
    t = old;
    cfmakeraw(&t);
    CHECK(!(t.c_lflag & (ICANON | ECHO | ISIG)) && !(t.c_oflag & OPOST) && t.c_cc[VMIN] == 1);
    CHECK(tcsetattr(s, TCSANOW, &t) == 0 && comes(s, "a\nb"));
    CHECK(tcsetattr(s, TCSANOW, &old) == 0 && line("c\n", "c\n", ""));
}
TEST(settings_come_back_as_they_were_set) {
    struct termios t, now;
    CHECK(fresh(0, 0) && tcgetattr(s, &t) == 0);
    t.c_iflag ^= IXANY | IXOFF | INLCR, t.c_oflag ^= OCRNL, t.c_lflag ^= TOSTOP | NOFLSH, t.c_cc[VINTR] = 'x';
    CHECK(tcsetattr(s, TCSADRAIN, &t) == 0 && tcgetattr(s, &now) == 0);
    CHECK(now.c_iflag == t.c_iflag && now.c_oflag == t.c_oflag && now.c_lflag == t.c_lflag);
    CHECK(memcmp(now.c_cc, t.c_cc, sizeof t.c_cc) == 0 && tcgetattr(m, &now) == 0 && now.c_cc[VINTR] == 'x');
    FAILS(tcsetattr(s, 77, &t), EINVAL);
    CHECK(cfsetospeed(&t, B9600) == 0 && tcsetattr(s, TCSANOW, &t) == 0 && tcgetattr(s, &now) == 0);
    SAME(cfgetospeed(&now), B9600);
}
TEST(TCSAFLUSH_drops_what_was_typed) {
    struct termios t;
    CHECK(fresh(0, 0) && type("old\n") && comes(m, "old\r\n") && tcgetattr(s, &t) == 0);
    CHECK(tcsetattr(s, TCSAFLUSH, &t) == 0 && line("new\n", "new\n", "new\r\n"));
}
TEST(tcflush_drops_what_was_typed) {
    int n = -1;
    CHECK(fresh(0, 0) && type("old\n") && comes(m, "old\r\n") && ioctl(s, TIOCINQ, &n) == 0);
    SAME(n, 4);
    CHECK(tcflush(s, TCIFLUSH) == 0 && ioctl(s, FIONREAD, &n) == 0);
    SAME(n, 0);
    CHECK(line("new\n", "new\n", "new\r\n") && tcflush(s, TCIOFLUSH) == 0);
    FAILS(tcflush(s, 9), EINVAL);
}
TEST(tcflow_holds_output_and_sends_characters) {
    CHECK(fresh(0, 0) && tcflow(s, TCOOFF) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        MUST(write(s, "held", 4) == 4);
        _exit(0);
    }
    CHECK(comes(m, "") && tcflow(s, TCOON) == 0 && comes(m, "held"));
    SAME(end_of(pid), 0);
    CHECK(tcflow(s, TCIOFF) == 0 && comes(m, "\023") && tcflow(s, TCION) == 0 && comes(m, "\021"));
    FAILS(tcflow(s, 9), EINVAL);
}
TEST(keys_stop_and_start_output) {
    CHECK(fresh(0, ECHO) && type("\023") && (pause_ms(20), 1));
    pid_t pid = fork();
    if (pid == 0) {
        MUST(write(s, "held", 4) == 4);
        _exit(0);
    }
    CHECK(comes(m, "") && type("\021") && comes(m, "held"));
    SAME(end_of(pid), 0);
    CHECK(set_io(0, 0) && line("\023\n", "\023\n", ""));
}
TEST(drains_and_breaks_return) {
    int n = -1;
    CHECK(fresh(0, 0) && write(s, "x", 1) == 1 && tcdrain(s) == 0);
    CHECK(ioctl(s, TIOCOUTQ, &n) == 0);
    SAME(n, 0);
    CHECK(tcsendbreak(s, 0) == 0 && comes(m, "x"));
}
TEST(without_ISIG_its_keys_are_characters) {
    CHECK(fresh(0, ISIG | ECHO) && line("a\003\032\034\n", "a\003\032\034\n", ""));
}
TEST(keys_that_are_off_are_characters) {
    CHECK(fresh(0, ECHO) && set_cc(VERASE, 0) && set_cc(VKILL, 0) && line("a\177\025b\n", "a\177\025b\n", ""));
}
TEST(a_line_that_is_too_long_can_be_ended) {
    static char x[5000], back[5000];
    memset(x, 'x', sizeof x);
    CHECK(fresh(0, ECHO) && write(m, x, sizeof x) == sizeof x && type("\n"));
    SAME(read(s, back, sizeof back), 4096);
    CHECK(back[4095] == '\n' && type("y\n") && comes(s, "y\n"));
}
TEST(only_terminals_have_settings) {
    struct termios t;
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    FAILS(tcgetattr(pipes[0], &t), ENOTTY);
    FAILS(tcflush(pipes[0], TCIFLUSH), ENOTTY);
    FAILS(tcgetpgrp(pipes[0]), ENOTTY);
    FAILS(tcgetattr(-1, &t), EBADF);
    close(pipes[0]), close(pipes[1]);
}
TESTS = {
    T(canonical_mode_edits_lines),
    T(words_are_erased_backwards),
    T(the_next_character_is_literal_after_its_key),
    T(a_line_is_shown_again),
    T(control_characters_are_shown_with_a_caret),
    T(the_echo_can_be_off),
    T(erasing_takes_whole_characters_with_IUTF8),
    T(the_end_of_file_key_ends_a_read),
    T(other_characters_may_end_lines),
    T(a_read_takes_a_part_of_a_line),
    T(input_is_mapped),
    T(output_is_mapped),
    T(raw_reads_wait_for_VMIN_bytes),
    T(raw_reads_wait_for_VTIME),
    T(raw_mode_and_back_loses_nothing),
    T(settings_come_back_as_they_were_set),
    T(TCSAFLUSH_drops_what_was_typed),
    T(tcflush_drops_what_was_typed),
    T(tcflow_holds_output_and_sends_characters),
    T(keys_stop_and_start_output),
    T(drains_and_breaks_return),
    T(without_ISIG_its_keys_are_characters),
    T(keys_that_are_off_are_characters),
    T(a_line_that_is_too_long_can_be_ended),
    T(only_terminals_have_settings),
    END,
};
