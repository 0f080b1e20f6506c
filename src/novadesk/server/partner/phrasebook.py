"""The phrases that the practice partner knows."""

from enum import Enum


class Intent(Enum):
    """What a sentence wants."""

    GREETING = "greeting"
    HOW_ARE_YOU = "how_are_you"
    MY_NAME = "my_name"
    WHAT_IS_MY_NAME = "what_is_my_name"
    YOUR_NAME = "your_name"
    TIME = "time"
    DATE = "date"
    SUM = "sum"
    REPEAT = "repeat"
    SLOWER = "slower"
    FASTER = "faster"
    THANKS = "thanks"
    GOODBYE = "goodbye"
    HELP = "help"
    TRAVEL = "travel"
    RESTAURANT = "restaurant"
    END_SCENE = "end_scene"
    TALKED_ABOUT = "talked_about"
    WHAT_I_SAID = "what_i_said"
    WHAT_YOU_SAID = "what_you_said"
    REMEMBER = "remember"
    JOKE = "joke"
    WEATHER = "weather"
    HUSH = "hush"
    YES = "yes"
    NO = "no"


RECALLS = frozenset({Intent.TALKED_ABOUT, Intent.WHAT_I_SAID, Intent.WHAT_YOU_SAID, Intent.REMEMBER})
"""Questions about what was said before."""

PHRASES: dict[Intent, tuple[str, ...]] = {
    Intent.GREETING: (
        "hello",
        "hi",
        "hi there",
        "hello there",
        "hello partner",
        "good morning",
        "good afternoon",
        "good evening",
    ),
    Intent.HOW_ARE_YOU: (
        "how are you",
        "how are you today",
        "hello how are you",
        "hello how are you today",
        "hi how are you",
        "how are you doing",
        "how do you do",
        "how is it going",
    ),
    Intent.MY_NAME: (
        "my name is name",
        "hello my name is name",
        "call me name",
        "i am called name",
        "hi my name is name",
    ),
    Intent.WHAT_IS_MY_NAME: (
        "what is my name",
        "do you know my name",
        "do you remember my name",
        "who am i",
        "say my name",
    ),
    Intent.YOUR_NAME: (
        "what is your name",
        "who are you",
        "what are you",
        "do you have a name",
        "are you a robot",
        "are you real",
        "tell me your name",
        "are you a person",
    ),
    Intent.TIME: (
        "what time is it",
        "what is the time",
        "tell me the time",
        "do you know what time it is",
        "can you tell me the time",
        "what time is it now",
    ),
    Intent.DATE: (
        "what day is it",
        "what day is it today",
        "what is the date",
        "what is the date today",
        "what is today",
        "which day is it",
        "what month is it",
        "what year is it",
    ),
    Intent.SUM: (
        "what is number plus number",
        "what is number minus number",
        "what is number times number",
        "what is number divided by number",
        "how much is number plus number",
        "how much is number times number",
        "number plus number",
        "number minus number",
        "number times number",
        "number divided by number",
        "what is number plus number plus number",
        "what is number plus number times number",
        "what is number multiplied by number",
        "add number and number",
        "can you add number and number",
        "help me with a sum",
        "calculate number plus number",
    ),
    Intent.REPEAT: (
        "repeat",
        "repeat that",
        "please repeat that",
        "can you repeat that",
        "can you repeat that please",
        "could you repeat that please",
        "say that again",
        "say that again please",
        "say it again",
        "once more please",
        "pardon",
        "i did not understand",
        "what did you just say",
    ),
    Intent.SLOWER: (
        "speak slower",
        "slower please",
        "please speak slower",
        "please speak more slowly",
        "speak more slowly",
        "can you speak more slowly",
        "you speak too fast",
        "not so fast",
        "slow down please",
    ),
    Intent.FASTER: (
        "speak faster",
        "faster please",
        "please speak faster",
        "can you speak faster",
        "you speak too slowly",
        "speed up please",
    ),
    Intent.THANKS: (
        "thank you",
        "thanks",
        "thank you very much",
        "thanks a lot",
        "thank you for your help",
        "thank you very much for your help",
        "many thanks",
    ),
    Intent.GOODBYE: (
        "goodbye",
        "good bye",
        "bye",
        "bye bye",
        "see you",
        "see you later",
        "see you tomorrow",
        "goodbye and see you next week",
        "good night",
        "that is all for today",
        "i have to go now",
    ),
    Intent.HELP: (
        "help",
        "help me",
        "can you help me",
        "what can you do",
        "what can i say",
        "what can i ask you",
        "what do you understand",
        "how does this work",
        "what should i say",
    ),
    Intent.TRAVEL: (
        "let us practice travel",
        "let us practice a conversation about travel",
        "travel",
        "let us talk about travel",
        "i want to buy a train ticket",
        "i would like to buy a ticket",
        "i need a ticket to london",
        "how do i get to the train station",
        "how do i get to the train station from here",
        "when does the next train leave",
        "i want to travel",
        "i would like to travel to london",
        "i would like a room for two nights",
        "role play travel",
    ),
    Intent.RESTAURANT: (
        "let us practice restaurant",
        "restaurant",
        "let us practice ordering food",
        "let us practice a conversation in a restaurant",
        "let us go to a restaurant",
        "let us play restaurant",
        "i would like to order",
        "i would like to order food",
        "i would like to order a cup of coffee",
        "i would like to order a cup of coffee and a sandwich",
        "can i have the menu please",
        "a table for two please",
        "where can i find a good restaurant",
        "i am hungry",
        "can i have a cup of coffee please",
    ),
    Intent.END_SCENE: (
        "stop the role play",
        "end the role play",
        "stop this role play",
        "leave the restaurant",
        "let us do something else",
        "let us talk about something else",
        "i want to stop",
    ),
    Intent.TALKED_ABOUT: (
        "what did we talk about",
        "what did we talk about before",
        "what did we talk about last time",
        "what did we talk about yesterday",
        "what were we talking about",
        "what have we talked about",
        "what did we say",
        "what did we discuss",
        "where were we",
        "what was our last topic",
    ),
    Intent.WHAT_I_SAID: (
        "what did i say",
        "what did i say before",
        "what did i just say",
        "what did i say last",
        "what did i tell you",
        "what did i ask you",
        "what have i said",
        "what was my question",
        "what was my last question",
        "what was my first question",
        "what did i say first",
        "repeat what i said",
    ),
    Intent.WHAT_YOU_SAID: (
        "what did you say before",
        "what did you tell me",
        "what did you answer",
        "what was your answer",
        "what have you said",
        "what did you say last time",
    ),
    Intent.REMEMBER: (
        "do you remember",
        "do you remember me",
        "do you remember what i said",
        "do you remember what we talked about",
        "do you remember our conversation",
        "do you remember our last conversation",
        "do you remember anything",
        "what do you remember",
        "what do you remember about me",
        "can you remember what i said",
    ),
    Intent.JOKE: ("tell me a joke", "tell me a joke please", "do you know a joke", "make me laugh"),
    Intent.WEATHER: (
        "what is the weather like",
        "what is the weather like today",
        "what is the weather like in london tomorrow",
        "how is the weather",
        "will it rain today",
        "is it raining",
    ),
    Intent.HUSH: (
        "stop",
        "stop talking",
        "be quiet",
        "stop talking for a moment",
        "wait a moment",
        "stop please",
        "quiet",
    ),
    Intent.YES: ("yes", "yes please", "yes i do", "yes that is right", "that is right", "of course", "okay", "sure"),
    Intent.NO: ("no", "no thank you", "no i do not", "not really", "that is wrong", "that is not right", "not now"),
}
