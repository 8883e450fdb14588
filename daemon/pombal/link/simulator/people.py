"""The people of the simulated network: Brazilian names, numbers and small talk, made from a seed.

The latest few are remembered: to make them costs more than all else of a message, and who writes, writes more.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache

from pombal.link.simulator.behaviour import Dice
from pombal.model.phone import USER_SERVER

# The area codes of Brazil's larger cities.
_AREA_CODES = (11, 11, 11, 19, 21, 21, 27, 31, 31, 41, 47, 48, 51, 51, 61, 62, 67, 71, 81, 83, 84, 85, 91, 92, 98)

_FIRST_NAMES = (
    "Ana", "André", "Antônia", "Beatriz", "Bruno", "Caio", "Camila", "Cauã", "Célia", "Conceição", "Débora", "Diego",
    "Eduarda", "Élcio", "Fábio", "Fernanda", "Flávia", "Gabriel", "Glória", "Helena", "Hélio", "Iara", "Inês", "Ítalo",
    "Janaína", "João", "José", "Júlia", "Larissa", "Letícia", "Lúcia", "Luís", "Marcos", "Márcia", "Mônica", "Natália",
    "Otávio", "Paulo", "Priscila", "Rafael", "Raíssa", "Renê", "Sérgio", "Sônia", "Tainá", "Tomás", "Vânia", "Zé",
)  # fmt: skip
_LAST_NAMES = (
    "Almeida", "Araújo", "Azevedo", "Barbosa", "Brandão", "Cardoso", "Conceição", "Correia", "da Silva", "de Assunção",
    "de Oliveira", "dos Santos", "Falcão", "Ferreira", "Figueirêdo", "Gonçalves", "Guimarães", "Lins", "Lourenço",
    "Magalhães", "Melo", "Moraes", "Nóbrega", "Pacífico", "Peçanha", "Queirós", "Ribeiro", "Sampaio", "São José",
    "Simões", "Tavares", "Valença", "Vasconcelos", "Xavier",
)  # fmt: skip

_GREETINGS = (
    "Oi", "Olá", "Oie 😊", "Bom dia", "Bom dia! ☀️", "Boa tarde", "Boa noite 🌙", "E aí, tudo bem?", "Opa", "Alô",
    "Oi, tudo bem?", "Prezados", "Gente", "Moça", "Amigo",
)  # fmt: skip
_MATTERS = (
    "meu pedido {number} ainda não chegou", "queria saber o preço do {thing}",
    "o boleto de {day} venceu, dá pra gerar outro?", "vocês abrem {day}?",
    "posso trocar o {thing}? Veio com defeito 😕", "ainda tem {thing} no estoque?",
    "não estou conseguindo entrar no aplicativo", "qual o prazo de entrega pra Jaboatão dos Guararapes?",
    "o entregador não achou o endereço, é no número {number}, perto da padaria",
    "quero cancelar a compra {number}, por favor", "recebi cobrança em dobro no cartão 😡", "aceitam Pix?",
    "fiz o Pix agora, segue o comprovante já já", "a nota fiscal do {thing} veio com o nome errado",
    "meu {thing} parou de funcionar depois da atualização", "tem como agendar uma visita técnica pra {day}?",
    "o código de rastreio não atualiza desde {day}", "vocês entregam em São João del-Rei?",
    "o cupom não está funcionando, dá “inválido”", "preciso da 2ª via da fatura", "quanto fica o frete do {thing}?",
    "pode ser em 3× sem juros?", "o {thing} azul é aquele da promoção?",
    "a garantia do {thing} é de quantos meses?", "falei com a Conceição ontem e ela ficou de retornar",
)  # fmt: skip
_SHORT = (
    "ok", "Ok, obrigada!", "Obrigado 🙏", "👍", "👍🏽", "kkkkkk", "rsrs", "Perfeito! 🎉", "Show de bola", "Beleza 😎",
    "Não entendi…", "Pode ser", "Sim", "Não", "Já resolvi, obrigado ❤️", "Aguardo retorno", "Alguém aí? 👀", "??",
    "Maravilha 👏👏👏", "Tá bom então, té mais", "Só um minuto", "Vou ver com meu marido e te falo", "🤔",
    "É isso mesmo",
)  # fmt: skip
_CLOSINGS = (
    "", "", "", " Obrigada!", " Grato.", " 🙏", " Fico no aguardo.", " Valeu!", " É urgente ⏰", " Abraço 🤗",
)  # fmt: skip
_THINGS = (
    "fogão", "chuveiro elétrico", "violão", "colchão", "tênis nº 42", "plano família", "notebook", "ventilador",
    "sofá-cama", "kit maçanetas", "açaí de 5 L", "pão de queijo congelado", "celular", "guarda-roupa", "cafeteira",
    "sandália",
)  # fmt: skip
_REMEMBERED_MAX = 4096
_DAYS = ("segunda", "terça", "quarta", "quinta", "sexta", "sábado", "domingo", "amanhã", "anteontem", "hoje à tarde")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who writes: E.164 digits, the name they chose, and both of WhatsApp's ids for them."""

    number: str
    name: str

    @property
    def chat_id(self) -> str:
        return f"{self.number}@{USER_SERVER}"

    @property
    def lid(self) -> str:
        return lid_of(self.number)


@lru_cache(_REMEMBERED_MAX)
def person(*seed: object) -> Person:
    dice = Dice("person", *seed)
    name = f"{dice.choice(_FIRST_NAMES)} {dice.choice(_LAST_NAMES)}"
    return Person(mobile_number(dice), name)


def mobile_number(dice: Dice) -> str:
    """A Brazilian mobile: 55, area code, 9 and eight digits, never one of those that do not exist."""
    return f"55{dice.choice(_AREA_CODES)}9{6 + dice.below(4)}{dice.below(9_999_998) + 1:07}"


@lru_cache(_REMEMBERED_MAX)
def lid_of(number: str) -> str:
    """WhatsApp's other id for a person, which does not show the number."""
    digest = hashlib.blake2b(number.encode(), digest_size=7, person=b"lid").digest()
    return f"{int.from_bytes(digest, 'big') % 10**15:015}@lid"


def exists(number: str) -> bool:
    """Whether the number has WhatsApp: not when it is too short for a real one or ends in seven zeros."""
    return len(number) >= 10 and not number.endswith("0000000")


def small_talk(dice: Dice) -> str:
    """What customers write: a word, or a matter with or without a greeting."""
    if dice.chance(0.35):
        return dice.choice(_SHORT)
    matter = dice.choice(_MATTERS).format(
        number=1000 + dice.below(90_000), thing=dice.choice(_THINGS), day=dice.choice(_DAYS)
    )
    greeting = f"{dice.choice(_GREETINGS)}, " if dice.chance(0.6) else ""
    return greeting + matter + dice.choice(_CLOSINGS)
