"""Keys and their numbers in each code set of the libvirt API, for keys that a PC keyboard has a scan code for.

The numbers are those of Linux's input events, of the AT keyboard's three sets of scan codes, of Apple's and
Microsoft's virtual keys, of the X server's kernel keyboard driver, and of USB's page of keyboard usages.
"""

from __future__ import annotations

from roost.constants import keycodes as K

#: Columns of the table below that hold numbers, in hexadecimal, by code set. XT is AT set 1 by another name.
_COLUMNS = {
    K.SET_LINUX: 1,
    K.SET_XT: 2,
    K.SET_ATSET1: 2,
    K.SET_ATSET2: 3,
    K.SET_ATSET3: 4,
    K.SET_OSX: 5,
    K.SET_XT_KBD: 6,
    K.SET_USB: 7,
    K.SET_WIN32: 8,
}
#: Columns that hold names, and what all names of the code set begin with.
_NAMES = {K.SET_LINUX: (0, "KEY_"), K.SET_OSX: (9, ""), K.SET_WIN32: (10, "VK_")}

#: Names of the code sets, in the order of their numbers.
CODESETS = ("linux", "xt", "atset1", "atset2", "atset3", "os_x", "xt_kbd", "usb", "win32", "qnum")

_EXTENDED = 0xE000


def numbers(codeset: int) -> dict[int, int]:
    """The number of each key of a code set -> QEMU's number of it, which is the AT set 1's with the 0xe0 as a bit."""
    column = _COLUMNS.get(codeset, _COLUMNS[K.SET_ATSET1])
    found: dict[int, int] = {}
    for words in _rows():
        code = int(words[_COLUMNS[K.SET_ATSET1]], 16)
        qnum = code & 0x7F | 0x80 if code >= _EXTENDED else code
        if codeset == K.SET_QNUM:
            found[qnum] = qnum
        elif words[column] != "-":
            found.setdefault(int(words[column], 16), qnum)
    return found


def names(codeset: int) -> dict[str, int]:
    """The name of each key of a code set -> its number there; {} for a code set without names."""
    if codeset not in _NAMES:
        return {}
    column, prefix = _NAMES[codeset]
    found: dict[str, int] = {}
    for words in _rows():
        if words[column] != "-" and words[_COLUMNS[codeset]] != "-":
            found.setdefault(prefix + words[column], int(words[_COLUMNS[codeset]], 16))
    return found


def _rows() -> list[list[str]]:
    return [line.split() for line in _TABLE.splitlines()]


#: Linux's name, then the numbers and names of `_COLUMNS` and `_NAMES`; "-" where a set has no such key.
_TABLE = """\
ESC 1 1 76 8 35 1 29 1b Escape ESCAPE
1 2 2 16 16 12 2 1e 31 ANSI_1 1
2 3 3 1e 1e 13 3 1f 32 ANSI_2 2
3 4 4 26 26 14 4 20 33 ANSI_3 3
4 5 5 25 25 15 5 21 34 ANSI_4 4
5 6 6 2e 2e 17 6 22 35 ANSI_5 5
6 7 7 36 36 16 7 23 36 ANSI_6 6
7 8 8 3d 3d 1a 8 24 37 ANSI_7 7
8 9 9 3e 3e 1c 9 25 38 ANSI_8 8
9 a a 46 46 19 a 26 39 ANSI_9 9
0 b b 45 45 1d b 27 30 ANSI_0 0
MINUS c c 4e 4e 1b c 2d bd ANSI_Minus OEM_MINUS
EQUAL d d 55 55 18 d 2e bb ANSI_Equal OEM_PLUS
BACKSPACE e e 66 66 33 e 2a 8 Delete BACK
TAB f f d d 30 f 2b 9 Tab TAB
Q 10 10 15 15 c 10 14 51 ANSI_Q Q
W 11 11 1d 1d d 11 1a 57 ANSI_W W
E 12 12 24 24 e 12 8 45 ANSI_E E
R 13 13 2d 2d f 13 15 52 ANSI_R R
T 14 14 2c 2c 11 14 17 54 ANSI_T T
Y 15 15 35 35 10 15 1c 59 ANSI_Y Y
U 16 16 3c 3c 20 16 18 55 ANSI_U U
I 17 17 43 43 22 17 c 49 ANSI_I I
O 18 18 44 44 1f 18 12 4f ANSI_O O
P 19 19 4d 4d 23 19 13 50 ANSI_P P
LEFTBRACE 1a 1a 54 54 21 1a 2f db ANSI_LeftBracket OEM_4
RIGHTBRACE 1b 1b 5b 5b 1e 1b 30 dd ANSI_RightBracket OEM_6
ENTER 1c 1c 5a 5a 24 1c 28 d Return RETURN
LEFTCTRL 1d 1d 14 11 3b 1d e0 11 Control CONTROL
A 1e 1e 1c 1c 0 1e 4 41 ANSI_A A
S 1f 1f 1b 1b 1 1f 16 53 ANSI_S S
D 20 20 23 23 2 20 7 44 ANSI_D D
F 21 21 2b 2b 3 21 9 46 ANSI_F F
G 22 22 34 34 5 22 a 47 ANSI_G G
H 23 23 33 33 4 23 b 48 ANSI_H H
J 24 24 3b 3b 26 24 d 4a ANSI_J J
K 25 25 42 42 28 25 e 4b ANSI_K K
L 26 26 4b 4b 25 26 f 4c ANSI_L L
SEMICOLON 27 27 4c 4c 29 27 33 ba ANSI_Semicolon OEM_1
APOSTROPHE 28 28 52 52 27 28 34 de ANSI_Quote OEM_7
GRAVE 29 29 e e 32 29 35 c0 ANSI_Grave OEM_3
LEFTSHIFT 2a 2a 12 12 38 2a e1 a0 Shift LSHIFT
BACKSLASH 2b 2b 5d 5c 2a 2b 32 dc ANSI_Backslash OEM_5
Z 2c 2c 1a 1a 6 2c 1d 5a ANSI_Z Z
X 2d 2d 22 22 7 2d 1b 58 ANSI_X X
C 2e 2e 21 21 8 2e 6 43 ANSI_C C
V 2f 2f 2a 2a 9 2f 19 56 ANSI_V V
B 30 30 32 32 b 30 5 42 ANSI_B B
N 31 31 31 31 2d 31 11 4e ANSI_N N
M 32 32 3a 3a 2e 32 10 4d ANSI_M M
COMMA 33 33 41 41 2b 33 36 bc ANSI_Comma OEM_COMMA
DOT 34 34 49 49 2f 34 37 be ANSI_Period OEM_PERIOD
SLASH 35 35 4a 4a 2c 35 38 bf ANSI_Slash OEM_2
RIGHTSHIFT 36 36 59 59 3c 36 e5 a1 RightShift RSHIFT
KPASTERISK 37 37 7c 7e 43 37 55 6a ANSI_KeypadMultiply MULTIPLY
LEFTALT 38 38 11 19 3a 38 e2 12 Option MENU
SPACE 39 39 29 29 31 39 2c 20 Space SPACE
CAPSLOCK 3a 3a 58 14 39 3a 39 14 CapsLock CAPITAL
F1 3b 3b 5 7 7a 3b 3a 70 F1 F1
F2 3c 3c 6 f 78 3c 3b 71 F2 F2
F3 3d 3d 4 17 63 3d 3c 72 F3 F3
F4 3e 3e c 1f 76 3e 3d 73 F4 F4
F5 3f 3f 3 27 60 3f 3e 74 F5 F5
F6 40 40 b 2f 61 40 3f 75 F6 F6
F7 41 41 83 37 62 41 40 76 F7 F7
F8 42 42 a 3f 64 42 41 77 F8 F8
F9 43 43 1 47 65 43 42 78 F9 F9
F10 44 44 9 4f 6d 44 43 79 F10 F10
NUMLOCK 45 45 77 76 47 45 53 90 ANSI_KeypadClear NUMLOCK
SCROLLLOCK 46 46 7e 5f - 46 47 91 - SCROLL
KP7 47 47 6c 6c 59 47 5f 67 ANSI_Keypad7 NUMPAD7
KP8 48 48 75 75 5b 48 60 68 ANSI_Keypad8 NUMPAD8
KP9 49 49 7d 7d 5c 49 61 69 ANSI_Keypad9 NUMPAD9
KPMINUS 4a 4a 7b 4e 4e 4a 56 6d ANSI_KeypadMinus SUBTRACT
KP4 4b 4b 6b 6b 56 4b 5c 64 ANSI_Keypad4 NUMPAD4
KP5 4c 4c 73 73 57 4c 5d 65 ANSI_Keypad5 NUMPAD5
KP6 4d 4d 74 74 58 4d 5e 66 ANSI_Keypad6 NUMPAD6
KPPLUS 4e 4e 79 7c 45 4e 57 6b ANSI_KeypadPlus ADD
KP1 4f 4f 69 69 53 4f 59 61 ANSI_Keypad1 NUMPAD1
KP2 50 50 72 72 54 50 5a 62 ANSI_Keypad2 NUMPAD2
KP3 51 51 7a 7a 55 51 5b 63 ANSI_Keypad3 NUMPAD3
KP0 52 52 70 70 52 52 62 60 ANSI_Keypad0 NUMPAD0
KPDOT 53 53 71 71 41 53 63 6e ANSI_KeypadDecimal DECIMAL
- 54 54 - - - 54 - - - -
ZENKAKUHANKAKU 55 76 5f - - 76 94 - - -
102ND 56 56 61 13 - 56 64 e2 - OEM_102
F11 57 57 78 56 67 57 44 7a F11 F11
F12 58 58 7 5e 6f 58 45 7b F12 F12
RO 59 73 51 - 5e 73 87 e2 JIS_Underscore OEM_102
KATAKANA 5a 78 63 - - 78 92 15 - KANA
HIRAGANA 5b 77 62 87 - 77 93 - - -
HENKAN 5c 79 64 86 - 79 8a 1c - CONVERT
KATAKANAHIRAGANA 5d 70 13 87 - 70 88 f2 - OEM_COPY
MUHENKAN 5e 7b 67 85 - 7b 8b 1d - NONCONVERT
KPJPCOMMA 5f 5c 27 - 5f 5c 8c - JIS_KeypadComma -
KPENTER 60 e01c e05a 79 4c 11c 58 - ANSI_KeypadEnter -
RIGHTCTRL 61 e01d e014 58 3e 11d e4 a3 RightControl RCONTROL
KPSLASH 62 e035 e04a 4a 4b 135 54 6f ANSI_KeypadDivide DIVIDE
SYSRQ 63 54 7f 57 - 54 46 2c - SNAPSHOT
RIGHTALT 64 e038 e011 39 3d 138 e6 a5 RightOption RMENU
LINEFEED 65 5b - - - 5b - - - -
HOME 66 e047 e06c 6e 73 147 4a 24 Home HOME
UP 67 e048 e075 63 7e 148 52 26 UpArrow UP
PAGEUP 68 e049 e07d 6f 74 149 4b 21 PageUp PRIOR
LEFT 69 e04b e06b 61 7b 14b 50 25 LeftArrow LEFT
RIGHT 6a e04d e074 6a 7c 14d 4f 27 RightArrow RIGHT
END 6b e04f e069 65 77 14f 4d 23 End END
DOWN 6c e050 e072 60 7d 150 51 28 DownArrow DOWN
PAGEDOWN 6d e051 e07a 6d 79 151 4e 22 PageDown NEXT
INSERT 6e e052 e070 67 - 152 49 2d - INSERT
DELETE 6f e053 e071 64 75 153 4c 2e ForwardDelete DELETE
MACRO 70 e06f e06f 8e - 16f - - - -
MUTE 71 e020 e023 9c 4a 120 ef ad Mute VOLUME_MUTE
VOLUMEDOWN 72 e02e e021 9d 49 12e ee ae VolumeDown VOLUME_DOWN
VOLUMEUP 73 e030 e032 95 48 130 ed af VolumeUp VOLUME_UP
POWER 74 e05e e037 - - 15e 66 - - -
KPEQUAL 75 59 f - 51 59 67 - ANSI_KeypadEquals -
KPPLUSMINUS 76 e04e e079 - - 14e - - - -
PAUSE 77 e046 e077 62 - 146 48 13 - PAUSE
SCALE 78 e00b - - - 10b - - - -
KPCOMMA 79 7e 6d - - 7e 85 6c - SEPARATOR??
HANGEUL 7a 72 - - 68 72 90 16 JIS_Kana IME_ON
HANJA 7b 71 - - 66 71 91 1a JIS_Eisu IME_OFF
YEN 7c 7d 6a 5d 5d 7d 89 dc JIS_Yen OEM_5
LEFTMETA 7d e05b e01f 8b 37 15b e3 5b Command LWIN
RIGHTMETA 7e e05c e027 8c 36 15c e7 5c RightCommand RWIN
COMPOSE 7f e05d e02f 8d 6e 15d 65 5d - APPS
STOP 80 e068 e028 a - 168 f3 a9 - BROWSER_STOP
AGAIN 81 e005 - b - 105 79 - - -
PROPS 82 e006 - c - 106 - - - -
UNDO 83 e007 - 10 - 107 7a - - -
FRONT 84 e00c - - - 10c 77 - - -
COPY 85 e078 - 18 - 178 7c - - -
OPEN 86 64 - 20 - 64 74 - - -
PASTE 87 65 - 28 - 65 7d - - -
FIND 88 e041 - 30 - 141 f4 - - -
CUT 89 e03c - 38 - 13c 7b - - -
HELP 8a e075 - 9 72 175 75 2f Help HELP
MENU 8b e01e - 91 - 11e 76 - - -
CALC 8c e021 e02b a3 - 121 fb - - -
SETUP 8d 66 - - - 66 - - - -
SLEEP 8e e05f e03f - - 15f f8 5f - SLEEP
WAKEUP 8f e063 e05e - - 163 - - - -
FILE 90 67 - - - 67 - - - -
SENDFILE 91 68 - - - 68 - - - -
DELETEFILE 92 69 - - - 69 - - - -
XFER 93 e013 - a2 - 113 - - - -
PROG1 94 e01f - a0 - 11f - - - -
PROG2 95 e017 - a1 - 117 - - - -
WWW 96 e002 - - - 102 f0 - - -
MSDOS 97 6a - - - 6a - - - -
SCREENLOCK 98 e012 - 96 - 112 f9 - - -
DIRECTION 99 6b - - - 6b - - - -
CYCLEWINDOWS 9a e026 - 9b - 126 - - - -
MAIL 9b e06c e048 - - 16c - - - -
BOOKMARKS 9c e066 e018 - - 166 - - - -
COMPUTER 9d e06b e040 - - 16b - - - -
BACK 9e e06a e038 - - 16a f1 a6 - BROWSER_BACK
FORWARD 9f e069 e030 - - 169 f2 a7 - BROWSER_FORWARD
CLOSECD a0 e023 - 9a - 123 - - - -
EJECTCD a1 6c - - - 6c ec - - -
EJECTCLOSECD a2 e07d - - - 17d - - - -
NEXTSONG a3 e019 e04d 93 - 119 eb b0 - MEDIA_NEXT_TRACK
PLAYPAUSE a4 e022 e034 - - 122 e8 b3 - MEDIA_PLAY_PAUSE
PREVIOUSSONG a5 e010 e015 94 - 110 ea b1 - MEDIA_PREV_TRACK
STOPCD a6 e024 e03b 98 - 124 e9 b2 - MEDIA_STOP
RECORD a7 e031 - 9e - 131 - - - -
REWIND a8 e018 - 9f - 118 - - - -
PHONE a9 63 - - - 63 - - - -
CONFIG ab e001 - - - 101 - - - -
HOMEPAGE ac e032 e03a 97 - 132 - ac - BROWSER_HOME
REFRESH ad e067 e020 - - 167 fa a8 - BROWSER_REFRESH
EDIT b0 e008 - - - 108 f7 - - -
SCROLLUP b1 75 - - - 75 f5 - - -
SCROLLDOWN b2 e00f - - - 10f f6 - - -
KPLEFTPAREN b3 e076 - - - 176 b6 - - -
KPRIGHTPAREN b4 e07b - - - 17b b7 - - -
NEW b5 e009 - - - 109 - - - -
REDO b6 e00a - - - 10a - - - -
F13 b7 5d 2f 7f 69 5d 68 7c F13 F13
F14 b8 5e 37 80 6b 5e 69 7d F14 F14
F15 b9 5f 3f 81 71 5f 6a 7e F15 F15
F16 ba 55 - 82 6a 55 6b 7f F16 F16
F17 bb e003 - 83 40 103 6c 80 F17 F17
F18 bc e077 - - 4f 177 6d 81 F18 F18
F19 bd e004 - - 50 104 6e 82 F19 F19
F20 be 5a - - 5a 5a 6f 83 F20 F20
F21 bf 74 - - - 74 70 84 - F21
F22 c0 e079 - - - 179 71 85 - F22
F23 c1 6d - - - 6d 72 86 - F23
F24 c2 6f - - - 6f 73 87 - F24
- c3 e015 - - - 115 - - - -
- c4 e016 - - - 116 - - - -
- c5 e01a - - - 11a - - - -
- c6 e01b - - - 11b - - - -
- c7 e027 - - - 127 - - - -
PLAYCD c8 e028 - - - 128 - - - -
PAUSECD c9 e029 - - - 129 - - - -
PROG3 ca e02b - - - 12b - - - -
PROG4 cb e02c - - - 12c - - - -
DASHBOARD cc e02d - - - 12d - - - -
SUSPEND cd e025 - - - 125 - - - -
CLOSE ce e02f - - - 12f - - - -
PLAY cf e033 - - - 133 - fa - PLAY
FASTFORWARD d0 e034 - - - 134 - - - -
BASSBOOST d1 e036 - - - 136 - - - -
PRINT d2 e039 - - - 139 - 2a - PRINT
HP d3 e03a - - - 13a - - - -
CAMERA d4 e03b - - - 13b - - - -
SOUND d5 e03d - - - 13d - - - -
QUESTION d6 e03e - - - 13e - - - -
EMAIL d7 e03f - - - 13f - b4 - LAUNCH_MAIL
CHAT d8 e040 - - - 140 - - - -
SEARCH d9 e065 e010 - - 165 - aa - BROWSER_SEARCH
CONNECT da e042 - - - 142 - - - -
FINANCE db e043 - - - 143 - - - -
SPORT dc e044 - - - 144 - - - -
SHOP dd e045 - - - 145 - - - -
ALTERASE de e014 - - - 114 - - - -
CANCEL df e04a - - - 14a - - - -
BRIGHTNESSDOWN e0 e04c - - - 14c - - - -
BRIGHTNESSUP e1 e054 - - - 154 - - - -
MEDIA e2 e06d e050 - - 16d - - - -
SWITCHVIDEOMODE e3 e056 - - - 156 - - - -
KBDILLUMTOGGLE e4 e057 - - - 157 - - - -
KBDILLUMDOWN e5 e058 - - - 158 - - - -
KBDILLUMUP e6 e059 - - - 159 - - - -
SEND e7 e05a - - - 15a - - - -
REPLY e8 e064 - - - 164 - - - -
FORWARDMAIL e9 e00e - - - 10e - - - -
SAVE ea e055 - - - 155 - - - -
DOCUMENTS eb e070 - - - 170 - - - -
BATTERY ec e071 - - - 171 - - - -
BLUETOOTH ed e072 - - - 172 - - - -
WLAN ee e073 - - - 173 - - - -
UWB ef e074 - - - 174 - - - -
"""

__all__ = ["CODESETS", "names", "numbers"]
