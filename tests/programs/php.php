<?php
$a = array_map(fn($x) => $x * $x, range(1, 10));
file_put_contents('/tmp/x.txt', json_encode(['sum' => array_sum($a), 'os' => 'any']));
echo file_get_contents('/tmp/x.txt'), "\n", strlen(md5('x')), ' ', preg_match('/b+/', 'abbc', $m), $m[0], "\n";
echo filesize('/tmp/x.txt'), ' ', is_dir('/tmp') ? 'dir' : 'no', ' ', count(scandir('/')) > 5 ? 'many' : 'few', "\n";
